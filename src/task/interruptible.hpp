#pragma once

#include "os/futex.hpp"

#include <hotspare/detail/interruptible.hpp>

#include <atomic>
#include <cstdint>
#include <functional>

namespace hotspare::detail {

/// os::futex_wait, and what that returns; a signal handler that runs meanwhile rings, too. here may be null.
bool sleep_on(const std::atomic<std::uint32_t>& word, std::uint32_t expected, os::FutexScope scope,
              std::int64_t deadline_ns, Interruptible* here);

/// Sleeps while word == expected, or until interrupted: wake() changes the word and wakes its sleepers. May return early.
/// Throws what the answer to an interruption throws.
void sleep_interruptibly(const std::atomic<std::uint32_t>& word, std::uint32_t expected, std::function<void()> wake);

}  // namespace hotspare::detail
