#include "os/random.hpp"

#include "os/result.hpp"

#include <random>
#include <sys/random.h>

namespace hotspare::os {

void fill_with_random(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const auto got = retry([&] { return ::getrandom(bytes.data(), bytes.size(), 0); });
    if (got <= 0) {  // a filter refuses it: the library may know another way, or throws
      std::random_device other;
      for (std::byte& each : bytes) each = static_cast<std::byte>(other());
      return;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace hotspare::os
