#include "os/fd.hpp"

#include <unistd.h>

namespace hotspare::os {

void Fd::reset() noexcept {
  // Not retried after EINTR: Linux has closed the descriptor by then, and its number may be another's.
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace hotspare::os
