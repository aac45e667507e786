#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace hotspare::shm {

/// Where the next payload goes in a box that is filled and freed in order (a ring of bytes). Pure arithmetic on
/// positions that only grow; the offset in the box is position % capacity.
struct BoxPlace {
  std::uint64_t start = 0;  ///< Position of the first byte, 64-byte aligned, never wrapping inside the payload.
  std::uint64_t end = 0;    ///< Position after it: the new fill mark, and what frees it.
};

constexpr std::optional<BoxPlace> place_in_box(std::uint64_t filled, std::uint64_t freed, std::size_t size,
                                               std::size_t capacity) {
  std::uint64_t start = (filled + 63) / 64 * 64;
  if (start % capacity + size > capacity) start = (start / capacity + 1) * capacity;
  const std::uint64_t end = start + size;
  if (size > capacity || end - freed > capacity) return std::nullopt;
  return BoxPlace{start, end};
}

}  // namespace hotspare::shm
