#pragma once

#include "standby/layout.hpp"

#include <cstdint>

/// What replicas say of themselves, in memory that each of them may write, and what of that can be.
namespace hotspare::standby {

/// A lane's words, each read once. WARNING: in this order: what may be is bounded by words that are read later.
struct Claim {
  std::uint64_t answered = 0;
  std::uint64_t done = 0;
  std::uint64_t begun = 0;
  std::uint64_t lost_states = 0;
  std::uint64_t committed = 0;
  StateAt state = {};  ///< The last one, if any was committed.
  Phase phase = Phase::starting;
  worker::LastWordsKind words = worker::LastWordsKind::none;
  bool sealed = true;

  static Claim of(const Lane& lane) {
    Claim claim;
    claim.answered = lane.answered.load(std::memory_order_acquire);
    claim.done = lane.done.load(std::memory_order_acquire);
    claim.begun = lane.begun.load(std::memory_order_acquire);
    claim.lost_states = lane.lost_state.load(std::memory_order_acquire);
    claim.committed = lane.committed.load(std::memory_order_acquire);
    if (claim.committed != 0) claim.state = lane.states[claim.committed % 2];
    claim.phase = lane.phase.load(std::memory_order_acquire);
    claim.sealed = lane.seal.load(std::memory_order_acquire) == lane_seal;
    claim.words = lane.last_words.kind.load(std::memory_order_acquire);
    return claim;
  }
  /// The block in which it died, or is; 0: between two.
  constexpr std::uint64_t in_block() const { return begun > done ? begun : 0; }
};

/// What the host knows.
struct Known {
  std::uint64_t newest = 0;   ///< Block.
  std::uint64_t tickets = 0;  ///< Orders given.
  std::uint64_t state_bytes = 0;
  std::uint64_t history = 0;
  std::uint64_t least_done = 0;         ///< It cannot have forgotten what it had when we looked before.
  bool is_spare = false;                ///< It was not told to come into step.
  bool awaits_state = false;            ///< By its plan.
  std::uint64_t newest_when_asked = 0;  ///< Block: all before was before its life.
  bool begins_without =
      false;  ///< It takes over, or replays: it can find that the history does not reach back to its state.
};

/// So often in its life, once each time that the history does not reach back.
constexpr std::uint64_t most_lost_states(const Known& known) {
  if (!known.begins_without || known.newest < known.newest_when_asked) return 0;
  return (known.newest - known.newest_when_asked) / (known.history / 2) + 1;
}

/// Why that cannot be; null: it can, which does not make it true.
constexpr const char* nonsense(const Claim& claim, const Known& known) {
  if (!claim.sealed) return "it overwrote the memory in which it tells how far it is";
  if (claim.begun > known.newest) return "it says that it began a block that has not come yet";
  if (claim.done > known.newest) return "it says that its state is that after a block that has not come yet";
  if (claim.done < known.least_done) return "it says that its state is older than it was";
  if (claim.answered > known.newest) return "it says that it answered a block that has not come yet";
  if (claim.lost_states > most_lost_states(known)) return "it says that it lost its state more often than that can be";
  if (claim.committed > known.newest + known.tickets) return "it says that it saved more states than it was asked for";
  if (claim.state.block > known.newest) return "it says that it saved the state after a block that has not come yet";
  if (claim.state.size > known.state_bytes) return "it says that its state is larger than the room for it";
  if (claim.words >= worker::LastWordsKind::count) return "it left last words of a kind that there is not";
  if (claim.phase > Phase::in_step) return "it says that it is in a phase that there is not";
  if (claim.phase == Phase::in_step && known.is_spare) return "it says that it is in step, and was not told to be";
  if (claim.phase == Phase::needs_state && !known.awaits_state) return "it asks for a state, and is to have none";
  return nullptr;
}

/// So many blocks may one go back: who takes over answers the newest block again, and who forgets fills a window that has a hole.
constexpr std::uint64_t most_steps_back(StandbyMode mode, const Geometry& geometry) {
  if (mode == StandbyMode::stateless) return 1;
  return geometry.replay_blocks != 0 ? geometry.history : 0;
}

/// What else is known of a block in which one may have died.
struct Scene {
  std::uint64_t awaited = 0;    ///< The newest one, if it was to answer that when we noticed its death; 0: it was not.
  std::uint64_t suspected = 0;  ///< The last one in which others died; 0: none.
};
/// The block in which it died; 0: none is to blame. Where what it says cannot be it died of the block that it had to answer, or, on
/// its way there, of the one that others died of.
constexpr std::uint64_t guilty_block(const Claim& claim, const Known& known, const Scene& scene) {
  const bool possible = claim.begun <= known.newest && claim.done <= known.newest && claim.done >= known.least_done;
  if (possible && (claim.sealed || claim.in_block() != 0)) return claim.in_block();
  return scene.awaited != 0 ? scene.awaited : scene.suspected;
}

}  // namespace hotspare::standby
