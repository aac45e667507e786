#include "os/fd.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hotspare::os {

void Fd::reset() noexcept {
  // Not retried after EINTR: Linux has closed the descriptor by then, and its number may be another's.
  if (is_ours()) ::close(fd_);
  fd_ = -1;
}

std::uint64_t Fd::file_at(int fd) noexcept {
  if (fd < 0) return 0;
  const int before = errno;
  struct stat about {};
  const bool open = ::fstat(fd, &about) == 0;
  errno = before;
  // Mixed, so that two files of one file system differ in all bits.
  return open ? (about.st_ino * 0x9e3779b97f4a7c15) ^ about.st_dev ^ 1U << 31 : 0;
}

int Fd::moved_up(int fd) noexcept {
  const int above = ::fcntl(fd, F_DUPFD_CLOEXEC, highest_standard + 1);
  const int error = errno;
  ::close(fd);
  errno = error;
  return above;
}

void close_on_exec(const Fd& fd) noexcept { ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC); }

}  // namespace hotspare::os
