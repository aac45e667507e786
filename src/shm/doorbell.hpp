#pragma once

#include "os/futex.hpp"

#include <atomic>
#include <cstdint>

namespace hotspare::shm {

/// What one thread of a worker sleeps on until the host has something for it. Each sleeper has its own, so that none takes
/// the wake of another. SYNC POINT doorbell: the sleeper marks itself asleep, then looks; the host stores what it has, then
/// looks for the mark. So one of both sees the other, if all four are sequentially consistent.
class Doorbell {
 public:
  /// The sleeper, before its last look at what it waits for.
  void about_to_sleep() noexcept { asleep_.store(1, std::memory_order_seq_cst); }
  /// Returns at once if it was rung since. May return for nothing: look again.
  void await_ring() noexcept { os::futex_wait(asleep_, 1, os::FutexScope::shared); }
  void awake() noexcept { asleep_.store(0, std::memory_order_relaxed); }

  /// After something was stored that the sleeper may be waiting for. Costs a look if nobody sleeps.
  void ring() noexcept {
    if (asleep_.load(std::memory_order_seq_cst) == 0) return;
    asleep_.store(0, std::memory_order_release);
    os::futex_wake(asleep_, 1, os::FutexScope::shared);
  }

 private:
  std::atomic<std::uint32_t> asleep_{0};
};

}  // namespace hotspare::shm
