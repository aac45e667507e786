#include "os/clock.hpp"
#include "standby/crew.hpp"
#include "standby/decide.hpp"

#include <algorithm>

/// Who follows: the spare processes all blocks below those in step, and takes the place of the next one that dies. What may
/// wait for the kernel, a fork above all, is its to do.
namespace hotspare::standby {

Roster Crew::roster() const {
  Roster now;
  now.wanted = options_.replicas;
  now.keeps_spare = *options_.spare && no_spare_until_ == 0;
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
  if (spare.state == State::spare && can_recruit() && no_spare_until_ == 0) recruit(true);
  Part part = Part::spare;
  // SYNC POINT promotion: seen by Replica::caught_up, after the order for the heir that was stored before.
  if (!shared_.lane(spare.lane).part.compare_exchange_strong(part, Part::regular, std::memory_order_seq_cst))
    return on_left_behind(spare);
  spare.spare = false;
  spare_pause_ = 0;
  if (spare.state == State::spare) expect_soon(spare);
  shared_.wake_working();
}

/// It is to come into step, and not to take for ever for it.
void Crew::expect_soon(Member& promoted) {
  constexpr std::int64_t for_an_heir = 2'000'000'000;  // to fork, or to save
  Lane& lane = shared_.lane(promoted.lane);
  const std::uint64_t newest = shared_.blocks().newest.load(std::memory_order_acquire);
  promoted.answered_by_then = lane.answered.load(std::memory_order_acquire);
  // One that was born up to date has answered none yet.
  const std::uint64_t answered = promoted.answered_by_then == 0 ? newest : std::min(promoted.answered_by_then, newest);
  const auto behind = static_cast<std::int64_t>(std::min(newest - answered, shared_.geometry().history));
  promoted.gone_by =
      os::monotonic_ns() + for_an_heir + 10 * options_.hang_after.count() + behind * options_.period.count();
  arm_timer();
}

/// Since it was told to come into step.
bool Crew::made_steps(const Member& promoted) const {
  return !promoted.leaving &&
         shared_.lane(promoted.lane).answered.load(std::memory_order_acquire) > promoted.answered_by_then;
}

void Crew::on_spare(Member& member) {
  member.step(Event::spare);
  member.was_ready = true;
  member.has_state = true;
  member.gone_by = 0;
  if (member.donor != 0) forks_failed_ = 0;
  if (!member.spare) expect_soon(member);  // needed meanwhile
  breaker_.worker_ready();
  tell(hotspare::Event::Kind::worker_ready, [&](hotspare::Event& event) {
    event.pid = member.pid;
    event.detail = "spare";
  });
  call_supervisor();  // it can be the donor of one for whom there was none
  wake_waiters();
}

/// It has said that it leaves.
bool Crew::left_behind(const Member& member) const {
  return member.spare && !member.leaving &&
         shared_.lane(member.lane).part.load(std::memory_order_acquire) == Part::left_behind;
}

/// It leaves by itself: that is no death.
void Crew::on_left_behind(Member& member) {
  constexpr std::int64_t grace_ns = 500'000'000;
  member.leaving = true;
  member.gone_by = os::monotonic_ns() + grace_ns;
  pause_spares();
  note_unavailable(
      "the machine has no time for the spare, which fell too far behind: until it has, one that is in step forks or "
      "saves for new replicas, and its blocks may be late for that");
}

/// The next one is tried when that may have changed.
void Crew::pause_spares() {
  spare_pause_ = grown_pause(spare_pause_);
  no_spare_until_ = os::monotonic_ns() + spare_pause_;
  arm_timer();
}

}  // namespace hotspare::standby
