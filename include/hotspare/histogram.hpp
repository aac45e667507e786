#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace hotspare {

/// Durations, counted in buckets of which eight make an octave: a quantile is at most 12.5 % above the true one.
/// A value of this type is a copy that nobody changes any more.
class Histogram {
 public:
  static constexpr std::size_t per_octave = 8;
  static constexpr std::size_t buckets = per_octave * 44;  ///< Up to 2^44 ns, 4.9 hours; what is longer counts as that.

  /// Index of the bucket of so many ns.
  static constexpr std::size_t bucket_of(std::uint64_t ns) {
    if (ns < per_octave) return static_cast<std::size_t>(ns);
    const auto octave = static_cast<std::size_t>(std::bit_width(ns)) - 1;
    const auto eighth = static_cast<std::size_t>(ns >> (octave - 3)) - per_octave;
    return std::min(buckets - 1, (octave - 2) * per_octave + eighth);
  }
  /// The longest duration (ns) that falls into this bucket.
  static constexpr std::uint64_t top_of(std::size_t bucket) {
    if (bucket < per_octave) return bucket;
    const std::size_t octave = bucket / per_octave + 2;
    const std::uint64_t step = std::uint64_t{1} << (octave - 3);
    return (std::uint64_t{1} << octave) + (bucket % per_octave + 1) * step - 1;
  }

  void add(std::chrono::nanoseconds duration, std::uint64_t times = 1) {
    const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.count()));
    counts[bucket_of(ns)] += times;
    max_ns = std::max(max_ns, ns);
    sum_ns += ns * times;
  }
  std::uint64_t count() const {
    std::uint64_t all = 0;
    for (const std::uint64_t each : counts) all += each;
    return all;
  }
  /// The least duration that a share of q (0 to 1) of all does not exceed; 0 when there are none.
  std::chrono::nanoseconds quantile(double q) const {
    const std::uint64_t all = count();
    if (all == 0) return std::chrono::nanoseconds(0);
    const auto wanted = static_cast<std::uint64_t>(
        std::clamp<long long>(std::llround(q * static_cast<double>(all)), 1, static_cast<long long>(all)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets; ++i) {
      seen += counts[i];
      if (seen >= wanted) return std::chrono::nanoseconds(std::min(top_of(i), max_ns));
    }
    return max();
  }
  std::chrono::nanoseconds max() const { return std::chrono::nanoseconds(max_ns); }

  std::array<std::uint64_t, buckets> counts{};
  std::uint64_t max_ns = 0;
  std::uint64_t sum_ns = 0;
};

}  // namespace hotspare
