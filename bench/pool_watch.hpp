#pragma once

#include <hotspare/hotspare.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace bench {

/// Counts a pool's events, and waits for them. Must outlive its pool.
class PoolWatch {
 public:
  /// The options with this watch as the listener, and silent workers.
  hotspare::PoolOptions observe(hotspare::PoolOptions options);

  /// Waits until so many workers became ready, and so many died, since the pool was made.
  void wait_for(std::uint64_t ready, std::uint64_t deaths);
  std::uint64_t ready() const;
  std::uint64_t deaths() const;
  /// When the last worker became ready, on the clock of now_ns().
  std::int64_t last_ready_ns() const;

 private:
  void note(const hotspare::Event& event);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t ready_ = 0;
  std::uint64_t deaths_ = 0;
  std::int64_t last_ready_ns_ = 0;
};

}  // namespace bench
