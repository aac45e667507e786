#include "os/clock.hpp"
#include "standby/claims.hpp"
#include "standby/crew.hpp"
#include "standby/fatal_blocks.hpp"
#include "standby/ring.hpp"

#include <algorithm>
#include <csignal>
#include <linux/futex.h>
#include <sys/wait.h>

/// A block that kills is left out, alone: each replica that has to catch up would die of it. Not if somebody who lives has it.
namespace hotspare::standby {
namespace {

Blame blame_of(const Member& member, Cause cause) {
  if (member.struck) return Blame::none;
  const os::ExitStatus& exit = member.evidence.exit;
  const bool killed = exit.known && WIFSIGNALED(exit.wait_status) && WTERMSIG(exit.wait_status) == SIGKILL;
  const bool by_us = member.evidence.ended_by != death::EndedBy::nobody;
  return killed && !by_us && cause == Cause::signal ? Blame::from_outside : Blame::its_own;
}

}  // namespace

/// A replica that died, and was judged.
void Crew::blame_block(const Member& member, Cause cause) {
  const std::uint64_t block = fatal_block(member);
  if (block == 0 || shared_.is_left_out(block)) return;
  if (!fatal_.died_in(block, blame_of(member, cause))) return;
  if (std::find(held_.begin(), held_.end(), block) == held_.end()) held_.push_back(block);
  // SYNC POINT left-out: seen by Replica::process_next when it has begun the block, and when it has it.
  shared_.mark(block).store(pack_mark(block, Mark::held), std::memory_order_seq_cst);
  decide_about_held();
}

std::uint64_t Crew::fatal_block(const Member& member) const {
  const Claim claim = Claim::of(shared_.lane(member.lane));  // before what it is measured by
  return guilty_block(claim, known_of(member), {member.awaited, fatal_.latest()});
}

void Crew::decide_about_held() {
  std::vector<Member*> living;
  for (const auto& [id, member] : members_)
    if (counts(member->state) && member->state != State::asked) living.push_back(member.get());
  for (Member* member : living) static_cast<void>(talks_sense(*member));
  const std::uint64_t newest = shared_.blocks().newest.load(std::memory_order_acquire);
  std::erase_if(held_, [&](std::uint64_t block) {
    const Decision decision = newest - block >= shared_.geometry().history ? Decision::keep : decide_about(block);
    watch_those_in(block);
    if (decision == Decision::wait) return false;
    if (decision == Decision::leave_out) {
      leave_out(block);
    } else if (mark_of(shared_.mark(block).load(), block) != Mark::none) {
      shared_.mark(block).store(0, std::memory_order_seq_cst);
    }
    fatal_.forget(block);
    shared_.wake_working();
    return true;
  });
}

/// Others wait for what becomes of them: those that are on their way, and hang in it, are ended. In step the caller sees that.
void Crew::watch_those_in(std::uint64_t block) {
  for (const auto& [id, member] : members_) {
    if ((member->state != State::starting && member->state != State::spare) || member->leaving) continue;
    const bool in_it = stand_of(*member, block) == Stand::unknown;
    if (in_it && member->gone_by == 0) {
      member->held_in = block;
      member->gone_by = os::monotonic_ns() + 10 * options_.hang_after.count();
    }
    if (!in_it && member->held_in == block) {
      member->held_in = 0;
      member->gone_by = 0;
    }
  }
  arm_timer();
}

Decision Crew::decide_about(std::uint64_t block) const {
  std::vector<Stand> living;
  for (const auto& [id, member] : members_) living.push_back(stand_of(*member, block));
  // What somebody saved before he died can be had.
  for (unsigned number = 0; options_.mode == StandbyMode::replay && number < shared_.geometry().lanes; ++number) {
    const Claim claim = Claim::of(shared_.lane(number));
    if (claim.sealed && claim.committed != 0 && claim.state.block >= block &&
        claim.state.block <= shared_.blocks().newest.load())
      living.push_back(Stand::has_it);
  }
  return standby::decide_about(living);
}

Stand Crew::stand_of(const Member& member, std::uint64_t block) const {
  Lane& lane = shared_.lane(member.lane);
  const bool dead = member.exited || (lane.host_word().load(std::memory_order_acquire) & FUTEX_OWNER_DIED) != 0;
  if (member.state == State::condemned) return dead ? Stand::before : Stand::unknown;  // its last answer may still come
  if (member.state == State::asked) return member.donor != 0 ? Stand::unknown : Stand::before;
  const Claim claim = Claim::of(lane);
  const bool gets_a_state = options_.mode == StandbyMode::lockstep && member.state == State::starting &&
                            member.plan == Plan::load && member.has_state && claim.done == 0;
  return standby::stand_of(claim, block, gets_a_state);
}

void Crew::leave_out(std::uint64_t block) {
  // SYNC POINT nobody-answers: seen by StandbyCore::nobody_will_answer.
  shared_.mark(block).store(pack_mark(block, Mark::left_out), std::memory_order_seq_cst);
  ring(shared_.bells().caller, 1);
  ++counts_.left_out;
  const bool state_lost = was_answered(block);  // and all who had it are dead
  if (state_lost) ++counts_.states_lost;
  const std::string which = "block " + std::to_string(block);
  tell(hotspare::Event::Kind::unavailable, [&](hotspare::Event& event) {
    event.detail = which + " has killed replicas again and again: it is left out, and late";
    if (state_lost)
      event.detail += ". It had been answered before: from now on answers are those of a stream without it";
  });
  remember_unavailable("blocks that killed replicas again and again are left out (StandbyStats::left_out)", which);
}

}  // namespace hotspare::standby
