#include "os/regular_file.hpp"

#include "os/result.hpp"

#include <fcntl.h>
#include <sys/stat.h>

namespace hotspare::os {

Fd open_regular_file(const std::string& path) {
  // Looked at before it is opened: to open a device may do something.
  Fd place(retry([&] { return ::open(path.c_str(), O_PATH | O_CLOEXEC); }));
  struct stat facts {};
  if (!place || ::fstat(place.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return Fd();
  return Fd(retry([&] { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); }));
}

}  // namespace hotspare::os
