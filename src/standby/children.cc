#include "os/clock.hpp"
#include "os/process.hpp"
#include "standby/crew.hpp"

#include <hotspare/error.hpp>

#include <linux/futex.h>

/// What the channel decides about its children, where it does not do as every keeper does.
namespace hotspare::standby {

void Crew::start_nursery() {
  const zygote::Image image = zygote::image_of(options_);
  if (const std::string why = zygote::why_not(image); !why.empty()) throw Error(why);
  nursery_.emplace(*poller_, child::Nursery::Plan{image, setup()});
  os::or_throw(nursery_->start(), "a standby channel cannot be made");
}

child::Process* Crew::child(std::uint64_t id) {
  const auto found = members_.find(id);
  return found != members_.end() ? found->second.get() : nullptr;
}

child::Process* Crew::child_after(std::uint64_t id) {
  const auto next = members_.upper_bound(id);
  return next != members_.end() ? next->second.get() : nullptr;
}

void Crew::on_forked(child::Process& process) {
  Member& member = member_of(process);
  member.made_at = os::monotonic_ns();
  member.ties.orders.theirs.reset();
}

void Crew::on_born(child::Process& process) {
  Member& member = member_of(process);
  member.step(Event::spawned);
  arm_timer();
  look_at(member);
  nudge_listener();
}

bool Crew::is_heir(const child::Process& process) const {
  const auto& member = static_cast<const Member&>(process);
  return member.donor != 0 && !member.adoption_asked;
}

/// The dead zygote was told to expect it.
void Crew::on_fostered_heir(child::Process& process) { tell_parent(member_of(process), zygote::Ask::expect_heir); }

void Crew::abandon(child::Process& process) {
  Member& member = member_of(process);
  if (is_heir(member)) tell_parent(member, zygote::Ask::forget_heir);
  member.step(Event::reaped);
  forget(member);
}

bool Crew::is_heard(const child::Process& process) const {
  const auto& member = static_cast<const Member&>(process);
  constexpr std::uint32_t taken = FUTEX_TID_MASK | FUTEX_OWNER_DIED;
  return !counts(member.state) || (shared_.lane(member.lane).host_word().load(std::memory_order_acquire) & taken) != 0;
}

bool Crew::has_last_words(const child::Process& process) const {
  return shared_.lane(static_cast<const Member&>(process).lane).last_words.spoken();
}

/// Files close after robust words are marked: one that does not show that it is dying has closed its descriptors.
void Crew::on_lifeline_closed(child::Process& process) {
  Member& member = member_of(process);
  if (member.state == State::asked) return on_heir_lost(member);
  const bool dying = (shared_.lane(member.lane).host_word().load() & FUTEX_OWNER_DIED) != 0;
  if (!counts(member.state) || os::exited(member.pidfd) || dying) return;
  member.evidence.ended_by = death::EndedBy::lifeline;
  notice(member);
  kill(member);
}

void Crew::notice(child::Process& process) { notice(member_of(process), os::monotonic_ns()); }

void Crew::end_held(child::Process& process) { kill(member_of(process)); }

void Crew::bury(child::Process& process, const os::ExitStatus& status) { bury(member_of(process), status); }

void Crew::note_refusal(const std::string& what) { note_unavailable(what + "; it is tried again until it succeeds"); }

}  // namespace hotspare::standby
