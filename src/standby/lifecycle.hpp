#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

/// A replica's life as the host sees it: one table of state × event.
namespace hotspare::standby {

enum class State : std::uint8_t {
  asked,      ///< Zygote or donor were asked for it.
  starting,   ///< It has a pid; its processor is being made, or it catches up.
  spare,      ///< It has caught up and follows.
  in_step,    ///< It answers, or is parked and could.
  condemned,  ///< Dying or dead.
  gone,       ///< Reaped. Its lane is about to be free.
  count
};

enum class Event : std::uint8_t {
  spawned,  ///< It was forked, and adopted.
  spare,    ///< It has caught up, as the spare.
  in_step,  ///< It has caught up, or was the spare and is on time now.
  noticed,  ///< Some sign that it died, or that it must; or it was never born.
  reaped,   ///< Its exit status is known, or known to be lost.
  count
};

constexpr std::optional<State> next(State state, Event event) {
  using S = State;
  constexpr std::optional<State> no;
  constexpr std::size_t states = static_cast<std::size_t>(State::count);
  constexpr std::size_t events = static_cast<std::size_t>(Event::count);
  constexpr std::array<std::array<std::optional<State>, events>, states> table{{
      //              spawned      spare     in_step     noticed       reaped
      /* asked     */ {S::starting, no, no, S::condemned, S::gone},
      /* starting  */ {no, S::spare, S::in_step, S::condemned, no},
      /* spare     */ {no, no, S::in_step, S::condemned, no},
      /* in_step   */ {no, no, no, S::condemned, no},
      /* condemned */ {no, no, no, S::condemned, S::gone},
      /* gone      */ {no, no, no, no, no},
  }};
  return table[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

/// Whether it counts towards the replicas that the channel should have, now or soon.
constexpr bool counts(State state) { return state < State::condemned; }

/// Whether it has all blocks behind it that were answered, so that another can have its state from it.
constexpr bool has_caught_up(State state) { return state == State::spare || state == State::in_step; }

static_assert(next(State::in_step, Event::noticed) == State::condemned);
static_assert(!next(State::gone, Event::noticed) && !next(State::starting, Event::spawned));

}  // namespace hotspare::standby
