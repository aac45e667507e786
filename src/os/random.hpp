#pragma once

#include <cstddef>
#include <span>

namespace hotspare::os {

/// Bytes that nobody else has. Throws std::exception where there is no source of them.
void fill_with_random(std::span<std::byte> bytes);

}  // namespace hotspare::os
