#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace hotspare::shm {

/// How long one task of a worker takes lately, as the worker sees it: without the time for which it waits. The host can't
/// know that: a worker that it wakes for each task seems to be as slow as the wake. Threads: one.
class Pace {
 public:
  /// No task counts for more, so that after a long one the next dozen shows the pace again.
  static constexpr std::int64_t longest_ns = 100'000;

  void add(std::int64_t task_ns) {
    const std::int64_t sample = std::clamp<std::int64_t>(task_ns, 1, longest_ns) * scale;
    mean_ = mean_ == 0 ? sample : mean_ + (sample - mean_) / 8;
  }
  /// Its power of two, ns, rounded up; 0: not known. So coarse that it seldom changes: whoever else reads that word would
  /// miss its cache each time.
  std::uint32_t told() const { return mean_ == 0 ? 0 : std::bit_ceil(static_cast<std::uint32_t>(mean_ / scale + 1)); }

 private:
  static constexpr std::int64_t scale = 16;
  std::int64_t mean_ = 0;  ///< In 1/scale ns, moving over about 8 tasks.
};

}  // namespace hotspare::shm
