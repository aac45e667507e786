#pragma once

#include "standby/layout.hpp"

#include <hotspare/standby_options.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

/// What a channel decides, as pure functions.
namespace hotspare::standby {

/// Of a replica that is behind: for how long it has made no step, ns.
struct Lag {
  std::int64_t stuck = 0;
  std::int64_t least_of_others = 0;  ///< The same of the one who is best off; 0: it is in step.
  bool alone = false;                ///< There is no other.
  bool forks = false;                ///< It was asked for an heir, who is not there yet: that may wait for the kernel.
};
/// Whether it hangs: it alone is stuck, or all are, but for far too long. A machine that stalls holds up all of them.
constexpr bool hangs(const Lag& lag, std::int64_t limit) {
  if (lag.stuck < limit) return false;
  const bool others_go_on = !lag.alone && !lag.forks && lag.least_of_others < limit;
  return others_go_on || lag.stuck >= 10 * limit;
}

/// A replica that hangs looks different from one that gets no CPU: that one is runnable, and its CPU time stands still.
/// Looked at twice, some time apart.
constexpr bool starves(bool runnable, std::int64_t cpu_before, std::int64_t cpu_now) {
  constexpr std::int64_t some_ns = 1'000'000;
  return runnable && cpu_now - cpu_before < some_ns;
}

/// How the caller sees a replica, block by block: when it last made a step while it was behind.
struct Progress {
  std::uint64_t marker = 0;  ///< Changes with each step of it.
  bool behind = false;
  std::int64_t since = 0;  ///< ns
  /// For how long it has been stuck, ns; 0: it is not behind.
  constexpr std::int64_t look(std::uint64_t seen, bool is_behind, std::int64_t now) {
    if (!is_behind || !behind || seen != marker) since = now;
    behind = is_behind;
    marker = seen;
    return now - since;
  }
};

/// When, at the earliest, a replica does what takes time between two blocks: at once if there is enough time until the next
/// one is due, or if the stream stands still; else when the next one is answered, or does not come. All in ns.
constexpr std::int64_t time_for_an_order(std::int64_t now, std::int64_t last_answer, std::int64_t period) {
  constexpr std::int64_t surely_enough = 50'000'000;  // to fork with 2 GB resident
  const std::int64_t next_due = last_answer + period;
  if (next_due - now >= std::min(period - period / 4, surely_enough)) return now;
  return std::max(now, next_due + std::min(2 * period, surely_enough));
}

/// Whether so many died within so long; died: when, in order, ns.
template <class Deaths>
constexpr bool too_many_died(const Deaths& died, std::size_t most, std::int64_t within) {
  return most != 0 && died.size() >= most && died.back() - died[died.size() - most] <= within;
}

/// Whether a channel keeps a spare.
constexpr bool keeps_spare(std::optional<bool> wish, StandbyMode mode, int realtime_priority) {
  return mode == StandbyMode::lockstep && wish.value_or(realtime_priority > 0);
}

/// Who is there, who was asked for included.
struct Roster {
  unsigned wanted = 0;  ///< Replicas.
  unsigned regular = 0;
  bool keeps_spare = false;
  bool has_spare = false;
  unsigned in_step = 0;
};
enum class Move : std::uint8_t { none, promote, recruit, recruit_spare };
/// What is to be done next for all places to be filled. A spare is recruited when the places are: whoever is in step may have
/// to fork it.
constexpr Move next_move(const Roster& now) {
  if (now.regular < now.wanted) return now.has_spare ? Move::promote : Move::recruit;
  if (now.keeps_spare && !now.has_spare && now.in_step >= now.wanted) return Move::recruit_spare;
  return Move::none;
}

/// The spare has less time than the stream needs: the rest of the history is for the case that this passes.
constexpr bool cannot_keep_up(std::uint64_t newest, std::uint64_t next, std::uint64_t history) {
  return newest - next >= history / 2;
}

/// SCHED_FIFO priority of one that is not in step, the spare among them: below those in step and the supervisor, so that it
/// delays none of them, and above all that has no deadline, so that it comes at all on a busy machine. of_replicas: of those in
/// step; 0: none. Not if it has much to catch up with: it would keep a core, or meet the limit for what spins.
constexpr int priority_of_followers(int of_replicas, std::uint64_t behind) {
  constexpr std::uint64_t much = 64;
  if (of_replicas == 0 || behind > much) return 0;
  return std::max(1, of_replicas - 2);
}

/// The pause before what failed is tried again; before: the last one, 0: there was none. ns.
constexpr std::int64_t grown_pause(std::int64_t before) {
  constexpr std::int64_t first = 1'000'000'000;
  constexpr std::int64_t most = 60'000'000'000;
  return std::clamp(2 * before, first, most);
}

/// The lane for the next replica: the one whose state is oldest, of those that are not taken. saved: the block of the state that lies
/// in each, 0: none.
template <class Taken>
constexpr std::optional<unsigned> lane_to_take(std::span<const std::uint64_t> saved, const Taken& taken,
                                               StandbyMode mode) {
  const std::uint64_t latest = *std::max_element(saved.begin(), saved.end());
  const bool alone = std::count(saved.begin(), saved.end(), latest) == 1;
  std::optional<unsigned> best;
  for (unsigned lane = 0; lane < saved.size(); ++lane) {
    if (taken[lane] || (mode == StandbyMode::replay && alone && latest != 0 && saved[lane] == latest)) continue;
    if (!best || saved[lane] < saved[*best]) best = lane;
  }
  return best;
}

/// automatic becomes what it means for this processor.
constexpr Rejoin resolve(Rejoin wish, bool can_save, std::uint64_t replay_blocks) {
  if (wish != Rejoin::automatic) return wish;
  if (can_save) return Rejoin::saved;
  return replay_blocks != 0 ? Rejoin::replayed : Rejoin::forked;
}

/// What a new replica finds when it is asked for.
struct Situation {
  StandbyMode mode = StandbyMode::lockstep;
  Rejoin rejoin = Rejoin::forked;
  std::uint64_t newest = 0;     ///< Block.
  std::uint64_t anew_from = 1;  ///< The state is that of a stream that began with this block.
  std::uint64_t history = 0;
  bool has_donor = false;  ///< A replica is in step,
  bool can_fork = false;   ///< and one without other threads.
};
/// Whether another replica, or what a dead one left, has a state to give.
constexpr bool state_is_given(const Situation& now) {
  if (now.rejoin == Rejoin::replayed) return false;
  if (now.mode == StandbyMode::replay) return true;  // what the dead committed is still in their lanes
  return now.rejoin == Rejoin::saved ? now.has_donor : now.can_fork;
}
/// How it comes to the state.
constexpr Plan plan_for(const Situation& now) {
  if (now.mode == StandbyMode::stateless) return Plan::now;
  constexpr std::uint64_t few = 16;  // to process these again is quicker than to get a state
  // Half of the history: blocks go on coming while it starts.
  const bool has_all = now.anew_from == 1 && now.newest < now.history / 2;
  if (has_all && (now.newest <= few || !state_is_given(now))) return Plan::first_block;
  if (now.rejoin == Rejoin::replayed) return Plan::replay;
  if (now.mode == StandbyMode::replay) return Plan::load;
  if (!now.has_donor) return Plan::now;
  return now.rejoin == Rejoin::saved ? Plan::load : Plan::inherit;
}
/// Whether it begins without the state that the stream had: said, never silent.
constexpr bool loses_state(const Situation& now, Plan plan) {
  return plan == Plan::now && now.mode != StandbyMode::stateless && now.newest != 0;
}

/// What a block that kills does to the stream behind it, once it is left out: now is what those find who come then.
enum class Aftermath : std::uint8_t {
  untouched,  ///< Blocks do not depend on each other.
  replayed,   ///< Who comes has all blocks but the one that kills.
  anew        ///< The state is lost, which is counted and told.
};
constexpr Aftermath aftermath(const Situation& now) {
  if (now.mode == StandbyMode::stateless) return Aftermath::untouched;
  return loses_state(now, plan_for(now)) ? Aftermath::anew : Aftermath::replayed;
}

/// Of those that come, the oldest block that is processed again: blocks go on coming meanwhile.
constexpr std::uint64_t oldest_to_replay(std::uint64_t newest, std::uint64_t history) {
  return newest > history / 2 ? newest - history / 2 + 1 : 1;
}

/// The block with which a window of so many blocks begins that ends with `last`; those that are left out do not count. 1 if there
/// have not been so many, 0 if it reaches further back than `oldest`.
template <class IsLeftOut>
constexpr std::uint64_t window_begin(std::uint64_t last, std::uint64_t blocks, std::uint64_t oldest,
                                     IsLeftOut left_out) {
  std::uint64_t found = 0;
  for (std::uint64_t block = last; block >= std::max<std::uint64_t>(oldest, 1); --block)
    if (!left_out(block) && ++found == blocks) return block;
  return oldest <= 1 ? 1 : 0;
}

}  // namespace hotspare::standby
