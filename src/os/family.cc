#include "os/family.hpp"

#include "os/process.hpp"
#include "os/process_identity.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <dirent.h>
#include <fstream>
#include <memory>
#include <string>

namespace hotspare::os {
namespace {

struct Kin {
  pid_t parent = 0;
  pid_t group = 0;
};

/// All 0: there is no such process.
Kin kin_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  Kin kin;
  // pid (name) state ppid pgrp; the name may hold anything, so from its end.
  if (!std::getline(file, text)) return {};
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos ||
      std::sscanf(text.c_str() + name_end, ") %*c %d %d", &kin.parent, &kin.group) != 2)
    return {};
  return kin;
}

void add_descendants(pid_t pid, std::vector<pid_t>& all) {
  const std::size_t first = all.size();
  for (const pid_t child : children_of(pid)) all.push_back(child);
  for (std::size_t i = first; i < all.size(); ++i)
    for (const pid_t child : children_of(all[i])) all.push_back(child);
}

}  // namespace

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  const std::string folder = "/proc/" + std::to_string(pid) + "/task";
  const std::unique_ptr<DIR, int (*)(DIR*)> threads(::opendir(folder.c_str()), ::closedir);
  if (threads == nullptr) return children;
  while (const dirent* thread = ::readdir(threads.get())) {
    if (thread->d_name[0] == '.') continue;
    std::ifstream file(folder + "/" + thread->d_name + "/children");
    for (pid_t child = 0; file >> child;) children.push_back(child);
  }
  return children;
}

std::vector<pid_t> family_of(pid_t pid, pid_t adopter) {
  std::vector<pid_t> all;
  add_descendants(pid, all);
  for (const pid_t adopted : children_of(adopter)) {
    if (adopted == pid || kin_of(adopted).group != pid) continue;
    all.push_back(adopted);
    add_descendants(adopted, all);
  }
  return all;
}

void kill_group_left_by(pid_t leader) noexcept {
  const auto group_is_anothers = [leader] {
    auto pidfd = open_pidfd(leader);
    return pidfd && !exited(*pidfd);
  };
  if (leader <= 1 || group_is_anothers()) return;
  for (const pid_t member : all_processes()) {
    if (kin_of(member).group != leader) continue;
    auto pidfd = open_pidfd(member);
    // Looked at again when the numbers of both are held: the member's by the pidfd, the group's by the member.
    if (pidfd && kin_of(member).group == leader && !group_is_anothers()) signal_process(*pidfd, SIGKILL);
  }
}

void kill_family_of(pid_t pid, pid_t adopter) noexcept {
  std::vector<pid_t> family = family_of(pid, adopter);
  family.push_back(pid);
  for (const pid_t member : family) {
    if (member == pid) continue;
    auto pidfd = open_pidfd(member);
    if (!pidfd) continue;
    // Looked at when the number is held: it cannot be given to another any more.
    const Kin kin = kin_of(member);
    const bool kindred = kin.group == pid || std::find(family.begin(), family.end(), kin.parent) != family.end();
    if (kindred && !exited(*pidfd)) signal_process(*pidfd, SIGKILL);
  }
}

}  // namespace hotspare::os
