#pragma once

#include <cstdint>

namespace hotspare::child {

/// What a readiness notice is about: a kind, and for processes which one. WARNING: a batch of notices may tell of one that
/// an earlier notice of the same batch has replaced.
enum class Tag : std::uint8_t {
  call,  ///< Another thread wants the supervisor to look.
  timer,
  nursery_message,  ///< Of a zygote, whichever it is by now; these carry its number.
  nursery_exit,
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
