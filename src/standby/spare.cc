#include "os/clock.hpp"
#include "os/process.hpp"
#include "os/realtime.hpp"
#include "standby/crew.hpp"
#include "standby/decide.hpp"

#include <algorithm>

/// Who follows: the spare processes all blocks at normal priority and takes the place of the next one that dies. What may
/// wait for the kernel, a fork above all, is its to do.
namespace hotspare::standby {

Roster Crew::roster() const {
  Roster now;
  now.wanted = options_.replicas;
  now.keeps_spare = *options_.spare && no_spare_until_ <= os::monotonic_ns();
  now.in_step = static_cast<unsigned>(in_step_);
  for (const auto& [id, member] : members_) {
    if (!counts(member->state)) continue;
    if (!member->spare) ++now.regular;
    if (member->spare && !member->leaving) now.has_spare = true;
  }
  return now;
}

/// There is one: who is furthest on his way.
Member* Crew::best_spare() const {
  Member* best = nullptr;
  for (const auto& [id, member] : members_) {
    if (!member->spare || member->leaving || !counts(member->state)) continue;
    if (best == nullptr || member->state > best->state) best = member.get();
  }
  return best;
}

/// It leaves its place to an heir first: when it is in step it is not asked for one.
void Crew::promote(Member& spare) {
  if (spare.state == State::spare && zygote_.ready && no_spare_until_ <= os::monotonic_ns()) recruit(true);
  spare.spare = false;
  Lane& lane = shared_.lane(spare.lane);
  // SYNC POINT promotion: seen by Replica::caught_up, after the order to fork that was stored before.
  lane.spare.store(false, std::memory_order_seq_cst);
  spare_pause_ = 0;
  if (spare.state == State::spare) {
    const std::uint64_t newest = shared_.blocks().newest.load(std::memory_order_acquire);
    const std::uint64_t answered = std::min(lane.answered.load(std::memory_order_acquire), newest);
    const auto behind = static_cast<std::int64_t>(newest - answered);
    spare.gone_by = os::monotonic_ns() + 10 * options_.hang_after.count() + behind * options_.period.count();
    arm_timer();
    // On a busy machine it would be its turn in some ms only. Not if it has much to catch up with: who has more to do than
    // fits between two blocks would keep those in step from their core.
    constexpr std::int64_t few = 8;
    if (options_.realtime_priority > 0 && behind <= few && !os::exited(spare.pidfd))
      os::use_realtime_in(spare.pid, shared_.geometry().realtime_priority);
  }
  shared_.wake_working();
}

void Crew::on_spare(Member& member) {
  member.step(Event::spare);
  member.was_ready = true;
  member.has_state = true;
  member.gone_by = 0;
  if (member.donor != 0) forks_failed_ = 0;
  breaker_.worker_ready();
  hotspare::Event event;
  event.kind = hotspare::Event::Kind::worker_ready;
  event.pid = member.pid;
  event.detail = "spare";
  tell(std::move(event));
  call_->notify();  // it can be the donor of one for whom there was none
  wake_waiters();
}

/// It leaves by itself: that is no death. The next one is tried when the machine may have more time.
void Crew::on_left_behind(Member& member) {
  constexpr std::int64_t first_ns = 1'000'000'000;
  constexpr std::int64_t most_ns = 60'000'000'000;
  constexpr std::int64_t grace_ns = 500'000'000;
  const std::int64_t now = os::monotonic_ns();
  member.leaving = true;
  member.gone_by = now + grace_ns;
  spare_pause_ = std::clamp(2 * spare_pause_, first_ns, most_ns);
  no_spare_until_ = now + spare_pause_;
  if (retry_at_ == 0 || retry_at_ > no_spare_until_) retry_at_ = no_spare_until_;
  arm_timer();
  note_unavailable(
      "the machine has no time for the spare, which fell too far behind: until it has, a new replica is forked from one "
      "that is in step, whose blocks may be late for that");
}

}  // namespace hotspare::standby
