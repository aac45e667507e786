#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>

namespace hotspare::os {

/// CLOCK_MONOTONIC in nanoseconds: the same in all processes, so stamps may be compared across them.
inline std::int64_t monotonic_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

/// Ten years: longer times, and such as are further away, are as good as this, of which some can be added and multiplied.
inline constexpr std::int64_t longest_ns = std::chrono::nanoseconds(std::chrono::hours(24 * 3650)).count();
/// What a user gave as a duration, in ns.
constexpr std::int64_t bounded_ns(std::chrono::nanoseconds given) noexcept {
  return std::clamp(std::int64_t{given.count()}, -longest_ns, longest_ns);
}
/// What a user gave as an instant, in ns. Never negative, which futexes take for none; what is that far back has passed.
constexpr std::int64_t bounded_instant(std::chrono::steady_clock::time_point given) noexcept {
  constexpr std::int64_t last = std::int64_t{1} << 62;  // a machine that has been up for a century
  return std::clamp<std::int64_t>(given.time_since_epoch().count(), 0, last);
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
