#include "support/leftovers.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace hotspare::testing {
namespace fs = std::filesystem;
namespace {

constexpr int patience_ms = 30'000;

/// "4711 (hotspare) Z", from /proc; the number alone when it is gone.
std::string describe(long pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(stat, line)) return std::to_string(pid);
  const auto name_end = line.rfind(')');
  return name_end == std::string::npos ? line : line.substr(0, name_end + 3);
}

/// Tests of SharedRegistry name what they make by their own pid, since others run at the same time.
bool of_another_test(const std::string& name) {
  const std::string prefix = "hotspare.test-";
  return name.starts_with(prefix) && !name.starts_with(prefix + std::to_string(::getpid()) + "-");
}

bool is_zombie(long pid) { return describe(pid).ends_with(" Z"); }

/// Waits for the end of a child without reaping it. False when the watchdog lost patience.
bool ends_in_time(long pid) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) return errno == ESRCH;
  pollfd event{pidfd, POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&event, 1, patience_ms);
  } while (ready < 0 && errno == EINTR);
  ::close(pidfd);
  return ready > 0;
}

void end_and_reap(long pid) {
  ::kill(static_cast<pid_t>(pid), SIGKILL);
  siginfo_t info;
  while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | __WALL) < 0 && errno == EINTR) {
  }
}

}  // namespace

Belongings Belongings::now() {
  Belongings found;
  std::error_code gone;  // a thread may end while we look
  for (const auto& thread : fs::directory_iterator("/proc/self/task", gone)) {
    std::ifstream children(thread.path() / "children");
    for (long pid = 0; children >> pid;) found.children.insert(pid);
  }
  for (const auto& entry : fs::directory_iterator("/proc/self/fd", gone)) {
    const fs::path target = fs::read_symlink(entry.path(), gone);
    // The descriptor through which we read this folder is no longer open when we look.
    if (!gone && !target.native().ends_with("/fd")) {
      found.descriptors.emplace(std::stoi(entry.path().filename().native()), target.native());
    }
  }
  for (const auto& entry : fs::directory_iterator("/dev/shm", gone)) {
    const std::string name = entry.path().filename().native();
    if (name.starts_with("hotspare") && !of_another_test(name)) found.shared_memory.insert(name);
  }
  return found;
}

void Leftovers::SetUp() {
  if (orphans_ == Orphans::adopt) ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (const char* outer = std::getenv("TMPDIR"); outer != nullptr) {
    had_tmpdir_ = true;
    outer_tmpdir_ = outer;
  }
  folder_ = fs::temp_directory_path() / "hotspare-test-XXXXXX";
  ASSERT_NE(::mkdtemp(folder_.data()), nullptr) << folder_ << ": " << std::strerror(errno);
  ::setenv("TMPDIR", folder_.c_str(), 1);
  before_ = Belongings::now();
}

void Leftovers::TearDown() {
  const Belongings after = Belongings::now();
  check_children(after);
  for (const auto& [number, target] : after.descriptors) {
    // libdw holds files of debug information for as long as the program may ask for stacks: a cache, not a leak.
    if (target.ends_with(".debug")) continue;
    EXPECT_TRUE(before_.descriptors.contains(number)) << "left open: descriptor " << number << " on " << target;
  }
  for (const auto& name : after.shared_memory) {
    EXPECT_TRUE(before_.shared_memory.contains(name)) << "left in shared memory: /dev/shm/" << name;
  }
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder_, error)) {
    ADD_FAILURE() << "temporary file left: " << entry.path();
  }
  fs::remove_all(folder_, error);
  if (had_tmpdir_) {
    ::setenv("TMPDIR", outer_tmpdir_.c_str(), 1);
  } else {
    ::unsetenv("TMPDIR");
  }
}

void Leftovers::check_children(const Belongings& after) {
  for (const long pid : after.children) {
    if (before_.children.contains(pid)) continue;
    if (orphans_ == Orphans::adopt) {
      EXPECT_TRUE(ends_in_time(pid)) << "orphan left, still alive after " << patience_ms << " ms: " << describe(pid);
    } else {
      ADD_FAILURE() << (is_zombie(pid) ? "zombie left: " : "child left: ") << describe(pid);
    }
    end_and_reap(pid);  // so that it cannot disturb what runs next
  }
}

}  // namespace hotspare::testing
