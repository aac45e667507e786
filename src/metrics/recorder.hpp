#pragma once

#include <hotspare/histogram.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

namespace hotspare::metrics {

/// A histogram that one thread fills, without a lock and without waiting, while others look.
class Recorder {
 public:
  void add(std::int64_t ns) noexcept {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(0, ns));
    bump(counts_[Histogram::bucket_of(value)], 1);
    bump(sum_ns_, value);
    if (value > max_ns_.load(std::memory_order_relaxed)) max_ns_.store(value, std::memory_order_relaxed);
  }
  Histogram copy() const {
    Histogram out;
    for (std::size_t i = 0; i < counts_.size(); ++i) out.counts[i] = counts_[i].load(std::memory_order_relaxed);
    out.sum_ns = sum_ns_.load(std::memory_order_relaxed);
    out.max_ns = max_ns_.load(std::memory_order_relaxed);
    return out;
  }

 private:
  /// One writer: a load and a store, no locked instruction.
  static void bump(std::atomic<std::uint64_t>& count, std::uint64_t by) noexcept {
    count.store(count.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  std::array<std::atomic<std::uint64_t>, Histogram::buckets> counts_{};
  std::atomic<std::uint64_t> sum_ns_{0};
  std::atomic<std::uint64_t> max_ns_{0};
};

}  // namespace hotspare::metrics
