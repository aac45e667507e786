#include "os/random.hpp"

#include "os/check.hpp"
#include "os/result.hpp"

#include <sys/random.h>

namespace hotspare::os {

void fill_with_random(std::span<std::byte> bytes) noexcept {
  while (!bytes.empty()) {
    const auto got = retry([&] { return ::getrandom(bytes.data(), bytes.size(), 0); });
    HS_CHECK(got > 0);
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace hotspare::os
