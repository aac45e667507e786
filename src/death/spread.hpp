#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>

namespace hotspare::death {

/// Workers whose robust words one listener watches: futex_waitv takes 128 words, and two are the listener's own.
inline constexpr std::size_t words_per_listener = 120;

/// Which listener gets one more word: who has the fewest. None: all are full.
inline std::optional<std::size_t> least_loaded(std::span<const std::size_t> words) {
  const auto least = std::min_element(words.begin(), words.end());
  if (least == words.end() || *least >= words_per_listener) return std::nullopt;
  return static_cast<std::size_t>(least - words.begin());
}

}  // namespace hotspare::death
