#include "os/memory.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

constexpr std::size_t mb = std::size_t{1} << 20;
constexpr int no_mounts = 77;

/// Exit code of a fork that has mounts of its own; no_mounts: it could not have them.
template <class F>
int with_own_mounts(F run) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777,size=4m") != 0)
      ::_exit(no_mounts);
    ::_exit(run());
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

std::size_t allocated(const Fd& fd) {
  struct stat about {};
  return ::fstat(fd.get(), &about) == 0 ? static_cast<std::size_t>(about.st_blocks) * 512 : 0;
}

TEST(MakeRoom, AFullFileSystemIsAFailureAndNotTheTouch) {
  const int code = with_own_mounts([] {
    const Fd small(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    const Fd large(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (::ftruncate(small.get(), mb) != 0 || ::ftruncate(large.get(), 8 * mb) != 0) return 1;
    if (!make_room(small, mb) || allocated(small) != mb) return 2;
    const Status refused = make_room(large, 8 * mb);
    return !refused && refused.failure().code == ENOSPC ? 0 : 3;
  });
  if (code == no_mounts) GTEST_SKIP() << "no mounts of its own";
  EXPECT_EQ(code, 0);
}

/// A file with that word stands in for the kernel's: what it says is for the whole machine.
TEST(MakeRoom, WhereMemoryIsAllottedStrictlyAllPagesAreThereBeforehand) {
  const int code = with_own_mounts([] {
    const char* const setting = "/proc/sys/vm/overcommit_memory";
    for (const char* const word : {"0\n", "2\n"}) {
      const Fd file(::open("/tmp/word", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
      if (::write(file.get(), word, 2) != 2) return 1;
      if (::mount("/tmp/word", setting, nullptr, MS_BIND, nullptr) != 0) return no_mounts;
      auto now = make_memfd("now", mb);
      auto later = make_memfd("later", mb, Room::later);
      if (!now || !later || allocated(*later) != 0) return 2;
      if (allocated(*now) != (word[0] == '2' ? mb : 0)) return 3;
    }
    return 0;
  });
  if (code == no_mounts) GTEST_SKIP() << "no mounts of its own";
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace hotspare::os
