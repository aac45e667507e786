#pragma once

#include "os/futex.hpp"

#include <atomic>
#include <cstdint>

namespace hotspare::standby {

/// Whoever sleeps on this word looks again; at most so many wake.
inline void ring(std::atomic<std::uint32_t>& bell, int sleepers) noexcept {
  bell.fetch_add(1, std::memory_order_seq_cst);
  os::futex_wake(bell, sleepers, os::FutexScope::shared);
}

}  // namespace hotspare::standby
