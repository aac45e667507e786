#pragma once

#include <cstdint>
#include <ctime>

namespace hotspare::os {

/// CLOCK_MONOTONIC in nanoseconds: the same in all processes, so stamps may be compared across them.
inline std::int64_t monotonic_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

inline timespec to_timespec(std::int64_t ns) noexcept {
  return {.tv_sec = static_cast<time_t>(ns / 1'000'000'000), .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
}

/// Tells the core that this is a spin.
inline void cpu_relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace hotspare::os
