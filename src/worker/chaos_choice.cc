#include <hotspare/chaos.hpp>

#include <array>

/// Which tasks chaos strikes, and how: pure functions of seed and key.
namespace hotspare::chaos {
namespace {

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// From 0 to below 1, in steps that a double holds exactly: no machine rounds.
constexpr double unit(std::uint64_t random) { return static_cast<double>(random >> 11) * 0x1p-53; }

How at(const Hows& hows, std::uint64_t index) {
  for (unsigned way = 0; way < ways; ++way)
    if (hows.contains(static_cast<How>(way)) && index-- == 0) return static_cast<How>(way);
  return How::raise;  // not reached: index is below hows.size()
}

}  // namespace

Struck::~Struck() = default;

std::string_view name(How how) noexcept {
  constexpr std::array<std::string_view, ways> names{"sigkill", "sigsegv", "abort", "exit", "stack_overflow",
                                                     "memory",  "leak",    "hang",  "stop", "raise"};
  const auto way = static_cast<std::size_t>(how);
  return way < names.size() ? names[way] : "?";
}

std::uint64_t hash(std::string_view bytes) noexcept {
  std::uint64_t hash = 14695981039346656037U;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211U;
  return hash;
}

std::optional<How> Chaos::choose(std::uint64_t key) const noexcept {
  if (how.size() == 0) return {};
  if (every != 0 && key % every == 0) return at(how, key / every % how.size());
  const std::uint64_t random = mix(mix(seed) ^ key);
  if (unit(random) < rate) return at(how, mix(random) % how.size());
  return {};
}

}  // namespace hotspare::chaos
