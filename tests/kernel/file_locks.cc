// How long a lock of an open file description lasts: docs/kernel_facts.md, "Locks on files".
#include "child.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <string>

namespace kernel_facts {
namespace {

int lock(int fd, int command, int type) {
  struct flock wish {};
  wish.l_type = static_cast<short>(type);
  wish.l_len = 1;
  return ::fcntl(fd, command, &wish) != 0 ? -1 : wish.l_type;
}
bool alone(int fd) { return lock(fd, F_OFD_SETLK, F_WRLCK) != -1; }

/// A file of shared memory without a name, and a second open() of it.
struct OpenedTwice {
  int first = ::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  int second = ::open(("/proc/self/fd/" + std::to_string(first)).c_str(), O_RDWR | O_CLOEXEC);
  ~OpenedTwice() {
    if (first >= 0) ::close(first);
    ::close(second);
  }
  void close_first() {
    ::close(first);
    first = -1;
  }
};

TEST(FileLock, LastsAsLongAsAMappingThoughTheDescriptorIsClosed) {
  OpenedTwice file;
  ASSERT_EQ(::ftruncate(file.first, 4096), 0);
  void* const at = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file.first, 0);
  ASSERT_NE(at, MAP_FAILED);
  ASSERT_NE(lock(file.first, F_OFD_SETLK, F_RDLCK), -1);
  file.close_first();
  EXPECT_FALSE(alone(file.second));
  ::munmap(at, 4096);
  EXPECT_TRUE(alone(file.second));
}

TEST(FileLock, IsHeldByAForkToo) {
  OpenedTwice file;
  ASSERT_NE(lock(file.first, F_OFD_SETLK, F_RDLCK), -1);
  const pid_t child = ::fork();
  if (child == 0)
    for (;;) ::pause();
  file.close_first();
  EXPECT_FALSE(alone(file.second));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(alone(file.second)) << "it is gone by the time its holder can be reaped";
}

TEST(FileLock, IsAskedForWithoutTakingIt) {
  OpenedTwice file;
  ASSERT_NE(lock(file.first, F_OFD_SETLK, F_RDLCK), -1);
  EXPECT_EQ(lock(file.second, F_OFD_GETLK, F_WRLCK), F_RDLCK);
  file.close_first();
  EXPECT_EQ(lock(file.second, F_OFD_GETLK, F_WRLCK), F_UNLCK);
}

}  // namespace
}  // namespace kernel_facts
