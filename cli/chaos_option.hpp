#pragma once

#include <hotspare/chaos_how.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace hotspare::cli {

/// What --chaos asks for: a replica is struck so often, the ways drawn from these.
struct ChaosOption {
  std::chrono::nanoseconds kill_every{0};
  chaos::Hows ways = chaos::How::sigkill;
  std::uint64_t seed = 0;

  bool operator==(const ChaosOption&) const = default;
};

/// From "kill-every=50ms,ways=sigkill,segv,hang;seed=7": kill-every is needed, what else is not named keeps its default.
/// Fields are parted by commas or semicolons, ways by commas or plus signs. The ways are those of docs/chaos.md that end a
/// replica, by the same names; segv and stack are short for sigsegv and stack_overflow, all for all of them.
/// Throws UsageError that says what is wrong and what is allowed.
ChaosOption parse_chaos(std::string_view text);

}  // namespace hotspare::cli
