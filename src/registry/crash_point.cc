#include "registry/crash_point.hpp"

#include "os/process.hpp"

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace hotspare::registry {
namespace {

constexpr std::array<const char*, static_cast<std::size_t>(CrashPoint::count)> names{
#define HOTSPARE_NAME(name) #name,
    HOTSPARE_REGISTRY_CRASH_POINTS(HOTSPARE_NAME)
#undef HOTSPARE_NAME
};

CrashPoint armed_point = CrashPoint::count;  // count: every point
std::uint64_t one_in = 1;
std::uint64_t state = 0;
int blow = SIGKILL;

/// splitmix64 (Steele, Lea & Flood 2014).
std::uint64_t draw() {
  state += 0x9e3779b97f4a7c15;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// Cuts off what stands before the next colon.
std::string_view take_part(std::string_view& text) {
  const std::size_t end = text.find(':');
  const std::string_view part = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return part;
}

std::uint64_t number(std::string_view text, std::uint64_t otherwise) {
  return text.empty() ? otherwise : std::strtoull(text.data(), nullptr, 10);
}

}  // namespace

bool crash_points_armed = false;

const char* name(CrashPoint point) noexcept { return names[static_cast<std::size_t>(point)]; }

void arm_crash_points() noexcept {
  const char* wish = std::getenv("HOTSPARE_REGISTRY_CRASH_AT");
  if (wish == nullptr || crash_points_armed) return;
  std::string_view left = wish;
  const std::string_view point = take_part(left);
  for (std::size_t i = 0; i < names.size(); ++i)
    if (point == names[i]) armed_point = static_cast<CrashPoint>(i);
  if (armed_point == CrashPoint::count && point != "any") return;
  one_in = number(take_part(left), 1);
  state = number(take_part(left), 0) * 1'000'003;
  if (left == "stop") blow = SIGSTOP;
  crash_points_armed = one_in > 0;
}

void reach_slow(CrashPoint point) noexcept {
  if (armed_point != CrashPoint::count && armed_point != point) return;
  if (draw() % one_in != 0) return;
  if (const char* log = std::getenv("HOTSPARE_CRASH_LOG"); log != nullptr) os::append_to_file(log, name(point));
  ::raise(blow);
}

}  // namespace hotspare::registry
