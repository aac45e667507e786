#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

/// A worker's life as data: one table of state × event.
namespace hotspare::workers {

enum class State : std::uint8_t {
  asked,      ///< The zygote was asked for it.
  starting,   ///< It has a pid; its initializer runs.
  spare,      ///< Ready and parked.
  active,     ///< Ready and given tasks.
  leaving,    ///< Told to leave when it has finished what it has.
  condemned,  ///< Dying or dead; its results no longer count.
  gone,       ///< Reaped. The record is about to be freed.
  count
};

enum class Event : std::uint8_t {
  spawned,   ///< The zygote forked it.
  ready,     ///< Its initializer is through.
  promoted,  ///< It is to take tasks.
  retired,   ///< It has run tasks_per_worker, or the pool closes.
  noticed,   ///< Some sign that it died, or that it must.
  reaped,    ///< Its exit status is known, or known to be lost.
  count
};

constexpr std::optional<State> next(State state, Event event) {
  using S = State;
  constexpr std::optional<State> no;
  constexpr std::size_t states = static_cast<std::size_t>(State::count);
  constexpr std::size_t events = static_cast<std::size_t>(Event::count);
  constexpr std::array<std::array<std::optional<State>, events>, states> table{{
      //              spawned      ready     promoted   retired      noticed       reaped
      /* asked     */ {S::starting, no, no, S::asked, S::condemned, S::gone},
      /* starting  */ {no, S::spare, no, S::leaving, S::condemned, no},
      /* spare     */ {no, no, S::active, S::leaving, S::condemned, no},
      /* active    */ {no, no, no, S::leaving, S::condemned, no},
      /* leaving   */ {no, no, no, S::leaving, S::condemned, no},
      /* condemned */ {no, no, no, no, S::condemned, S::gone},
      /* gone      */ {no, no, no, no, no, no},
  }};
  return table[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

/// Whether tasks may be handed to it.
constexpr bool runs_tasks(State state) { return state == State::active; }
/// As far as is known: it was born, and nobody has noticed its death.
constexpr bool lives(State state) { return state > State::asked && state < State::condemned; }
/// Whether it counts towards the workers the pool should have, now or soon.
constexpr bool counts(State state) { return state < State::leaving; }

static_assert(next(State::active, Event::noticed) == State::condemned);
static_assert(!next(State::gone, Event::noticed));

/// How many workers to ask for now: as many as are missing, but never so many at once that the zygote's socket fills.
constexpr std::size_t refill(std::size_t wanted, std::size_t present, std::size_t asked, std::size_t most_asked) {
  if (present >= wanted || asked >= most_asked) return 0;
  const std::size_t missing = wanted - present;
  return missing < most_asked - asked ? missing : most_asked - asked;
}
static_assert(refill(3, 1, 0, 16) == 2 && refill(300, 0, 10, 16) == 6 && refill(2, 5, 0, 16) == 0);

}  // namespace hotspare::workers
