#include "os/family.hpp"

#include "os/process.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fstream>
#include <memory>
#include <new>
#include <string>

namespace hotspare::os {
namespace {

struct Kin {
  pid_t parent = 0;
  pid_t group = 0;
};

/// All 0: there is no such process.
Kin kin_of(pid_t pid) noexcept {
  std::array<char, 32> path;
  std::array<char, 512> text;
  Kin kin;
  std::snprintf(path.data(), path.size(), "/proc/%d/stat", pid);
  if (read_small_file(path.data(), text.data(), text.size()) == 0) return {};
  // pid (name) state ppid pgrp; the name may hold anything, so from its end.
  const char* name_end = std::strrchr(text.data(), ')');
  if (name_end == nullptr || std::sscanf(name_end, ") %*c %d %d", &kin.parent, &kin.group) != 2) return {};
  return kin;
}

/// A group lasts until its last member is gone, so a living process of that number leads another one.
bool group_is_anothers(pid_t leader) noexcept {
  const Fd pidfd = pidfd_of(leader);
  return pidfd && !exited(pidfd);
}

void kill_if_in_group(pid_t member, pid_t leader) noexcept {
  if (kin_of(member).group != leader) return;
  const Fd pidfd = pidfd_of(member);
  // Looked at again when the numbers of both are held: the member's by the pidfd, the group's by the member.
  if (pidfd && kin_of(member).group == leader && !group_is_anothers(leader)) signal_process(pidfd, SIGKILL);
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
  if (leader <= 1 || group_is_anothers(leader)) return;
  DIR* const processes = ::opendir("/proc");
  if (processes == nullptr) return;
  while (const dirent* each = ::readdir(processes)) {
    const auto member = static_cast<pid_t>(std::strtol(each->d_name, nullptr, 10));
    if (member > 0) kill_if_in_group(member, leader);
  }
  ::closedir(processes);
}

void kill_family_of(pid_t pid, pid_t adopter) noexcept try {
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
} catch (const std::bad_alloc&) {
  // For the list. What it started is in its group, unless that has made one of its own: the group ends with it.
}

}  // namespace hotspare::os
