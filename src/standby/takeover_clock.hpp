#pragma once

#include "metrics/recorder.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace hotspare::standby {

/// What takeovers cost the stream: StandbyStats::takeover. The crew notes the deaths; when the next block was answered only the
/// caller's thread knows, which neither locks nor waits for that.
class TakeoverClock {
 public:
  /// Under the crew's mutex, in the order of time.
  void noticed(std::int64_t at) noexcept {
    const std::uint64_t count = noticed_.load(std::memory_order_relaxed);
    at_[count % room].store(at, std::memory_order_relaxed);
    // SYNC POINT takeover-noticed: acquired by block_over.
    noticed_.store(count + 1, std::memory_order_release);
  }
  /// By the caller, for each block.
  void block_over(std::int64_t begun, std::int64_t ended, bool answered) noexcept {
    // SYNC POINT takeover-noticed: released by noticed.
    const std::uint64_t noticed = noticed_.load(std::memory_order_acquire);
    while (taken_ != noticed && at(taken_, noticed) <= ended)
      since_[place(waiting_++)] = std::max(at(taken_++, noticed), begun);
    if (!answered) return;
    for (std::size_t i = 0; i < waiting_; ++i) costs_.add(ended - since_[place(i)]);
    waiting_ = 0;
  }
  Histogram copy() const { return costs_.copy(); }

 private:
  /// More than that between two answered blocks count, but with the times of others among them.
  static constexpr std::size_t room = 64;
  static constexpr std::size_t place(std::size_t index) { return std::min(index, room - 1); }
  std::int64_t at(std::uint64_t index, std::uint64_t noticed) const noexcept {
    const std::uint64_t oldest_kept = noticed < room ? 0 : noticed - room;
    return at_[std::max(index, oldest_kept) % room].load(std::memory_order_relaxed);
  }

  std::array<std::atomic<std::int64_t>, room> at_{};
  std::atomic<std::uint64_t> noticed_{0};
  // The caller's.
  std::uint64_t taken_ = 0;
  std::array<std::int64_t, room> since_{};  ///< From when on those count that wait for an answered block.
  std::size_t waiting_ = 0;
  metrics::Recorder costs_;
};

}  // namespace hotspare::standby
