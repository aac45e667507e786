#include "child/burial.hpp"
#include "child/keeper.hpp"
#include "os/check.hpp"
#include "os/clock.hpp"
#include "os/process.hpp"

#include <utility>

/// From a child's end to its burial: who its parent is tells how it ended, unless that is dead or stopped itself.
namespace hotspare::child {

void Keeper::on_exit(Process& process) {
  process.exited = true;
  if (!has_last_words(process)) note_program(process);  // 15 µs, for which the caller would wait
  poller_->forget(process.pidfd);
  notice(process);
  ask_reap(process);
}

void Keeper::ask_reap(Process& process) {
  constexpr std::int64_t patience_ns = 250'000'000;
  if (!process.exited || process.held_for_stack || process.reap_asked) return;
  if (!nursery_->ask_to_reap(process)) return bury(process, {});
  // It answers at once, unless somebody has stopped it: nobody must wait for that.
  process.gone_by = os::monotonic_ns() + patience_ns;
  arm_timer();
}

void Keeper::on_stacks(std::uint64_t id, death::Stacks& stacks) {
  Process* const found = child(id);
  HS_CHECK(found != nullptr);  // it is held for us
  Process& held = *found;
  held.held_for_stack = false;
  death::take_stacks(stacks, held.evidence);
  end_held(held);
  ask_reap(held);
  if (!descriptors_lost_ || child(id) == nullptr) return;
  bury_untold(held);
  end_without_descriptors();
}

void Keeper::bury_untold(Process& process) {
  if (process.pid == 0) return abandon(process);
  notice(process);
  if (!process.held_for_stack) bury(process, {});  // who takes its stack comes back
}

os::ExitStatus Keeper::final_status(Process& process, const os::ExitStatus& told) {
  if (told.known || !process.exited) return told;
  const os::ExitStatus status = status_without_parent(process);
  nursery_->reap_later(process.pid, std::move(process.pidfd));
  return status;
}

void Keeper::leave_the_unkillable() {
  for_each_child([this](Process& each) { bury_untold(each); });
}

}  // namespace hotspare::child
