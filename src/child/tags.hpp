#pragma once

#include <cstdint>

namespace hotspare::child {

/// What a readiness notice is about: a kind, and for processes which one.
enum class Tag : std::uint8_t {
  call,  ///< Another thread wants the supervisor to look.
  timer,
  zygote_message,
  zygote_exit,
  standby_exit,
  seed_message,
  seed_exit,
  exit,
  lifeline,
  standard_error,
};
constexpr std::uint64_t tag(Tag kind, std::uint64_t process = 0) {
  return process << 8 | static_cast<std::uint8_t>(kind);
}
constexpr Tag kind_of(std::uint64_t bits) { return static_cast<Tag>(bits & 0xFF); }
constexpr std::uint64_t process_of(std::uint64_t bits) { return bits >> 8; }

}  // namespace hotspare::child
