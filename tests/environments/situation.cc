#include "situation.hpp"
#include "support/sanitizer.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <grp.h>
#include <sched.h>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace hotspare::testing {
namespace {

/// Of the program that was started: the same in all that it forks, and in no other.
const std::string group_name = "hotspare-environment-" + std::to_string(::getpid());

/// Where a controller's groups are made; empty: nowhere.
std::string folder_for_groups(const std::string& controller, bool& v1) {
  const std::string root = "/sys/fs/cgroup/";
  v1 = ::access((root + controller + "/cgroup.procs").c_str(), W_OK) == 0;
  if (v1) return root + controller + "/";
  std::ifstream all(root + "cgroup.controllers");
  for (std::string word; all >> word;)
    if (word == controller) return root;
  return {};
}

}  // namespace

void skip(const std::string& why) {
  ::dprintf(report_fd(), "SKIPPED: %s\n", why.c_str());
  std::_Exit(77);
}

bool under_sanitizer() { return sanitized(); }

void need(long result, const char* what) {
  if (result < 0) skip(std::string(what) + ": " + std::strerror(errno));
}

void write_to(const std::string& file, const std::string& text) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0 || ::write(fd, text.data(), text.size()) < 0) skip(file + ": " + std::strerror(errno));
  ::close(fd);
}

void become_nobody() {
  constexpr uid_t nobody = 65534;
  report_fd();
  if (::getuid() != 0) return;
  need(::setgroups(0, nullptr), "setgroups");
  need(::setresgid(nobody, nobody, nobody), "setresgid");
  need(::setresuid(nobody, nobody, nobody), "setresuid");
  ::prctl(PR_SET_DUMPABLE, 1);  // as a program that nobody started
}

void own_mounts() {
  if (::unshare(CLONE_NEWNS) != 0) {
    const std::string user = std::to_string(::getuid());
    need(::unshare(CLONE_NEWUSER | CLONE_NEWNS), "a mount namespace");
    write_to("/proc/self/uid_map", "0 " + user + " 1");
  }
  need(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "mounts of one's own");
}

void enter_group(const char* controller, const char* file_v1, const char* file_v2, const std::string& value) {
  if (sanitized() && std::string_view(controller) == "memory") skip("a sanitizer's own memory would not fit");
  bool v1 = false;
  const std::string parent = folder_for_groups(controller, v1);
  const char* file = v1 ? file_v1 : file_v2;
  if (parent.empty() || file == nullptr)
    skip(std::string("no cgroup controller \"") + controller + "\" of the kind wanted");
  if (!v1) write_to(parent + "cgroup.subtree_control", std::string("+") + controller);
  const std::string group = parent + group_name;
  if (::mkdir(group.c_str(), 0755) != 0 && errno != EEXIST) skip(group + ": " + std::strerror(errno));
  write_to(group + "/" + file, value);
  write_to(group + "/cgroup.procs", std::to_string(::getpid()));
}

void leave_group() {
  for (const char* parent : {"/sys/fs/cgroup/memory/", "/sys/fs/cgroup/pids/", "/sys/fs/cgroup/"})
    ::rmdir((parent + group_name).c_str());
}

Shared& shared() {
  static auto* const memory =
      static_cast<Shared*>(::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  return *memory;
}

}  // namespace hotspare::testing
