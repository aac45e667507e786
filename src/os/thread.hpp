#pragma once

#include "os/missing.hpp"
#include "os/result.hpp"

#include <pthread.h>
#include <system_error>
#include <thread>
#include <utility>

namespace hotspare::os {

/// Starts a thread; fails where the kernel, or a limit, refuses one.
template <class F>
Result<std::thread> start_thread(F body) {
  try {
    return std::thread(std::move(body));
  } catch (const std::system_error& refused) {
    return Failure{refused.code().value(), "a thread cannot be started" + why_nothing_starts()};
  }
}

/// This thread cannot be cancelled from now on, but where it says so: Poller::wait.
inline void forbid_cancel() noexcept { ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr); }
/// Ends a thread that sleeps where it can be cancelled, though no descriptor is left to wake it by. Its frames are unwound.
inline void cancel(std::thread& thread) noexcept { ::pthread_cancel(thread.native_handle()); }

}  // namespace hotspare::os
