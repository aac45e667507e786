#include "os/kernel_log.hpp"

#include "os/fd.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

namespace hotspare::os {

bool kernel_log_contains(const std::string& text) {
  const Fd fd(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return false;
  std::array<char, 8192> record;  // one read gives one record
  for (;;) {
    const ssize_t size = ::read(fd.get(), record.data(), record.size());
    if (size < 0 && (errno == EPIPE || errno == EINTR || errno == EINVAL)) continue;  // overwritten meanwhile
    if (size <= 0) return false;
    if (std::string_view(record.data(), static_cast<std::size_t>(size)).find(text) != std::string_view::npos)
      return true;
  }
}

}  // namespace hotspare::os
