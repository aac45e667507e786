#pragma once

#include <cstdint>

namespace hotspare::task {

/// Why an attempt failed, as far as retries and journals tell reasons apart. planned: somebody did not want it any more.
enum class Reason : std::uint8_t { exception, death, timeout, memory, planned };

}  // namespace hotspare::task
