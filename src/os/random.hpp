#pragma once

#include <cstddef>
#include <span>

namespace hotspare::os {

/// Bytes that nobody else has.
void fill_with_random(std::span<std::byte> bytes) noexcept;

}  // namespace hotspare::os
