#pragma once

#include <cstdint>

namespace hotspare::standby {

/// What a readiness notice is about: a kind, and for replicas which one.
enum class Tag : std::uint8_t {
  call,  ///< The caller suspects that somebody hangs, or the channel closes.
  timer,
  zygote_message,
  zygote_exit,
  copy_exit,
  member_exit,
  member_lifeline,
  member_stderr,
};
constexpr std::uint64_t tag(Tag kind, std::uint64_t member = 0) {
  return member << 8 | static_cast<std::uint8_t>(kind);
}
constexpr Tag kind_of(std::uint64_t bits) { return static_cast<Tag>(bits & 0xFF); }
constexpr std::uint64_t member_of(std::uint64_t bits) { return bits >> 8; }

}  // namespace hotspare::standby
