#pragma once

#include "os/futex.hpp"

#include <atomic>
#include <cstdint>

namespace hotspare::shm {

/// Host → worker: what has begun at this time (ns) is asked to stop. The worker's watcher sleeps on `bell`, if a task ever
/// wanted to know.
struct StopRequest {
  std::atomic<std::int64_t> begun_at{0};
  std::atomic<std::uint32_t> bell{0};

  void ask(std::int64_t what) noexcept {
    begun_at.store(what, std::memory_order_seq_cst);
    bell.fetch_add(1, std::memory_order_seq_cst);
    os::futex_wake(bell, 1, os::FutexScope::shared);
  }
};

}  // namespace hotspare::shm
