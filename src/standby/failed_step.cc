#include "os/clock.hpp"
#include "standby/crew.hpp"

#include <exception>

/// As supervisor/failed_step.cc, of a channel: no replica is in a half state for want of memory, and what could not be done
/// is tried again after a pause.
namespace hotspare::standby {

/// Under the mutex. Needs no memory.
void Crew::step_failed() noexcept {
  memory_pause_.refused(os::monotonic_ns());
  for_each_member([this](Member& member) { mend(member); });
  if (nursery_) nursery_->try_again_if_alone();
  timer_at_ = 0;
  if (timer_) arm_timer();
}

/// A dying one that nobody looks after any more.
void Crew::mend(Member& member) noexcept try {
  if (member.state == State::gone) return forget(member);
  if (member.state != State::condemned || member.held_for_stack || member.gone_by != 0) return;
  if (member.exited && !member.reap_asked) return ask_reap(member);
  member.gone_by = os::monotonic_ns();
} catch (const std::exception&) {
  // It is looked at again when the pause is over.
}

/// The pause is over: all that a thread would have seen to is looked at again.
void Crew::look_again_after_failure(std::int64_t now) {
  if (memory_pause_.until() == 0 || memory_pause_.until() > now) return;
  memory_pause_.over();
  for_each_member([this](Member& member) { mend(member); });
  judge_lags();
  replace_the_dying();
  nudge_listener();
  if (memory_pause_.until() == 0) memory_pause_.succeeded();
}

}  // namespace hotspare::standby
