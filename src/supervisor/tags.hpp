#pragma once

#include <cstdint>

namespace hotspare::supervisor {

/// What a readiness notice is about: a kind, and for workers which one.
enum class Tag : std::uint8_t {
  call,  ///< Another thread wants the supervisor to look.
  timer,
  zygote_message,
  zygote_exit,
  standby_exit,
  seed_message,
  seed_exit,
  worker_exit,
  worker_lifeline,
  worker_stderr,
};
constexpr std::uint64_t tag(Tag kind, std::uint64_t worker = 0) {
  return worker << 8 | static_cast<std::uint8_t>(kind);
}
constexpr Tag kind_of(std::uint64_t bits) { return static_cast<Tag>(bits & 0xFF); }
constexpr std::uint64_t worker_of(std::uint64_t bits) { return bits >> 8; }

}  // namespace hotspare::supervisor
