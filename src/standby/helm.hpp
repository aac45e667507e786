#pragma once

#include <cstdint>

namespace hotspare::standby {

/// Who works in the modes in which one does: one word, moved by compare-and-swap, so that of all who want it one gets it.
struct Helm {
  static constexpr std::uint32_t nobody = 0xFF;
  std::uint64_t term = 0;  ///< One more each time that it moves.
  std::uint32_t lane = nobody;

  constexpr Helm moved_to(std::uint32_t other) const { return {term + 1, other}; }
  constexpr std::uint64_t packed() const { return term << 8 | (lane ^ nobody); }  // fresh memory means: nobody
  static constexpr Helm unpack(std::uint64_t bits) {
    return {bits >> 8, static_cast<std::uint32_t>(bits & 0xFF) ^ nobody};
  }
};
static_assert(Helm::unpack(0).lane == Helm::nobody && Helm{}.packed() == 0);
static_assert(Helm::unpack(Helm{7, 3}.packed()).lane == 3 && Helm::unpack(Helm{7, 3}.packed()).term == 7);
static_assert(Helm{7, 3}.moved_to(4).term == 8);

}  // namespace hotspare::standby
