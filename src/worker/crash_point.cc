#include "worker/crash_point.hpp"

#include "os/process.hpp"

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace hotspare::worker {
namespace {

constexpr std::array<const char*, static_cast<std::size_t>(CrashPoint::count)> names{
#define HOTSPARE_NAME(name) #name,
    HOTSPARE_CRASH_POINTS(HOTSPARE_NAME)
#undef HOTSPARE_NAME
};

CrashPoint armed_point = CrashPoint::count;  // count: every point
std::uint64_t one_in = 1;
std::uint64_t state = 0;

/// splitmix64 (Steele, Lea & Flood 2014): good enough to spread deaths, and the same in each run.
std::uint64_t draw() {
  state += 0x9e3779b97f4a7c15;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

bool crash_points_armed = false;

const char* name(CrashPoint point) noexcept { return names[static_cast<std::size_t>(point)]; }

void arm_crash_points(unsigned long long worker_id) noexcept {
  const char* wish = std::getenv("HOTSPARE_CRASH_AT");
  if (wish == nullptr) return;
  const char* colon = std::strchr(wish, ':');
  const std::size_t length = colon != nullptr ? static_cast<std::size_t>(colon - wish) : std::strlen(wish);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::strlen(names[i]) == length && std::strncmp(names[i], wish, length) == 0)
      armed_point = static_cast<CrashPoint>(i);
  }
  if (armed_point == CrashPoint::count && std::strncmp(wish, "any", length) != 0) return;
  if (colon != nullptr) one_in = std::strtoull(colon + 1, nullptr, 10);
  const char* second = colon != nullptr ? std::strchr(colon + 1, ':') : nullptr;
  state = (second != nullptr ? std::strtoull(second + 1, nullptr, 10) : 0) * 1'000'003 + worker_id;
  crash_points_armed = one_in > 0;
}

void reach_slow(CrashPoint point) noexcept {
  if (armed_point != CrashPoint::count && armed_point != point) return;
  if (draw() % one_in != 0) return;
  // The saboteur's own count, to be held against the pool's.
  if (const char* log = std::getenv("HOTSPARE_CRASH_LOG"); log != nullptr) os::append_to_file(log, name(point));
  ::raise(SIGKILL);
}

}  // namespace hotspare::worker
