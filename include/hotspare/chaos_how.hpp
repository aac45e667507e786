#pragma once

#include <hotspare/error.hpp>
#include <hotspare/export.hpp>

#include <bit>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace hotspare::chaos {

enum class How : std::uint8_t {
  sigkill,         ///< SIGKILL: it leaves no word.
  sigsegv,         ///< A write through a null pointer.
  abort,           ///< std::abort.
  exit,            ///< The process ends with code 3, without exit handlers.
  stack_overflow,  ///< Recursion without end. Error where the stack is larger than 1 GiB.
  memory,          ///< Takes memory until TaskOptions::memory_limit ends it. Error in a task that has none.
  leak,            ///< Takes memory that this worker never gives back; the task goes on.
  hang,            ///< Sleeps and heeds nothing, soft deadlines neither: only a deadline or a cancel with kill ends it.
  stop,            ///< The worker is stopped (SIGSTOP): the same. The task goes on if somebody sends SIGCONT.
  raise,           ///< Throws Struck.
};
inline constexpr unsigned ways = static_cast<unsigned>(How::raise) + 1;
/// As it is written in Chaos::from_text.
HOTSPARE_API std::string_view name(How how) noexcept;

/// What How::raise throws, in the worker and from the future.
class HOTSPARE_API Struck : public Error {
 public:
  using Error::Error;
  ~Struck() override;
};

/// A set of ways, in the order of How.
class Hows {
 public:
  constexpr Hows() noexcept = default;
  // NOLINTNEXTLINE(google-explicit-constructor): .how = How::hang
  constexpr Hows(How one) noexcept : bits_(static_cast<std::uint16_t>(1U << static_cast<unsigned>(one))) {}
  constexpr Hows(std::initializer_list<How> all) noexcept {
    for (const How each : all) add(each);
  }
  constexpr void add(How how) noexcept { bits_ = static_cast<std::uint16_t>(bits_ | Hows(how).bits_); }
  constexpr bool contains(How how) const noexcept { return (bits_ & Hows(how).bits_) != 0; }
  constexpr unsigned size() const noexcept { return static_cast<unsigned>(std::popcount(bits_)); }
  constexpr bool operator==(const Hows&) const noexcept = default;

 private:
  std::uint16_t bits_ = 0;
};

}  // namespace hotspare::chaos
