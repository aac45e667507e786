#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace hotspare::standby {

/// Of the state after a block. Tells memory that was overwritten from what was written: no secret, and no proof against intent.
inline std::uint64_t checksum(std::uint64_t block, std::span<const std::byte> bytes) noexcept {
  constexpr std::uint64_t odd = 0x9E3779B97F4A7C15;
  std::uint64_t sum = (block + 1) * odd ^ bytes.size();
  const auto take = [&sum](std::uint64_t word) {
    sum = (sum ^ word) * odd;
    sum ^= sum >> 29;
  };
  for (; bytes.size() >= sizeof(std::uint64_t); bytes = bytes.subspan(sizeof(std::uint64_t))) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    take(word);
  }
  std::uint64_t rest = 0;
  if (!bytes.empty()) std::memcpy(&rest, bytes.data(), bytes.size());
  take(rest);
  return sum;
}

}  // namespace hotspare::standby
