#include "os/fd.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace hotspare::os {

void Fd::reset() noexcept {
  // Not retried after EINTR: Linux has closed the descriptor by then, and its number may be another's.
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
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
