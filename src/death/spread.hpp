#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>

namespace hotspare::death {

/// Workers whose robust words one listener watches: futex_waitv takes 128 words, and two are the listener's own.
inline constexpr std::size_t words_per_listener = 120;

/// To sleep on a word costs as much as to look at it. With more workers than that the listener that looks after results,
/// and so wakes often, watches none.
inline constexpr std::size_t few_words = 8;

/// How many listeners watch the words of so many workers, apart from the one that looks after results; 0: that one does. Twice
/// as many words as workers are wanted: the dying and the refills are there at the same time.
constexpr std::size_t watchers(std::size_t workers) {
  return workers <= few_words ? 0 : 1 + 2 * workers / words_per_listener;
}

/// Which listener gets one more word: who has the fewest. None: all are full.
inline std::optional<std::size_t> least_loaded(std::span<const std::size_t> words) {
  const auto least = std::min_element(words.begin(), words.end());
  if (least == words.end() || *least >= words_per_listener) return std::nullopt;
  return static_cast<std::size_t>(least - words.begin());
}

}  // namespace hotspare::death
