#include "os/file_size_limit.hpp"

#include "os/memory.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

/// In a fork of this process that may have files of so many bytes: its exit code, or the signal that ended it and 256.
template <class F>
int with_limit(rlim_t bytes, F run) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{bytes, bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::_exit(run());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

TEST(FileSizeLimitTest, AMemfdBeyondItIsAFailure) {
  EXPECT_EQ(with_limit(1 << 20,
                       [] {
                         if (!make_memfd("small", 1 << 20)) return 1;
                         auto large = make_memfd("large", (1 << 20) + 1);
                         if (large || large.failure().code != EFBIG) return 2;
                         return large.failure().text().find("ulimit -f") != std::string::npos ? 0 : 3;
                       }),
            0);
}

TEST(FileSizeLimitTest, AWriteBeyondItFailsAndEndsNobody) {
  const int file = ::memfd_create("file", MFD_CLOEXEC);
  const auto write_beyond = [file] { return ::pwrite(file, "x", 1, 4096); };
  EXPECT_EQ(with_limit(4096,
                       [&] {
                         {
                           const FileSizeErrors errors;
                           if (write_beyond() != -1 || errno != EFBIG) return 1;
                         }
                         const FileSizeErrors again;
                         return write_beyond() == -1 && errno == EFBIG ? 0 : 2;
                       }),
            0);
  EXPECT_EQ(with_limit(4096,
                       [&] {
                         { const FileSizeErrors errors; }
                         return static_cast<int>(write_beyond());
                       }),
            256 + SIGXFSZ)
      << "afterwards it is as before";
  ::close(file);
}

}  // namespace
}  // namespace hotspare::os
