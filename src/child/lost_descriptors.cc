#include "child/keeper.hpp"
#include "os/thread.hpp"

#include <algorithm>
#include <string>

/// What becomes of a pool or channel whose descriptors somebody else has closed: code that makes a daemon of the program closes
/// all that it finds. With their lifelines closed the children end. A listener, who needs no descriptor, hears that; the
/// supervisor, whose poller has nothing left to tell of, never does.
namespace hotspare::child {
namespace {

/// A timer that has not fired so long after it was due may be closed; a child that has not taken its word so long after its
/// birth may be dead.
constexpr std::int64_t late_ns = 250'000'000;

}  // namespace

bool Keeper::has_lost_descriptors(const Process& process) const {
  const auto lost = [](const os::Fd& fd) { return fd && !fd.is_ours(); };
  return lost(process.pidfd) || lost(process.lifeline.fd()) || lost(process.stderr_pipe) || has_lost_what_calls();
}

bool Keeper::has_lost_what_calls() const {
  return !poller_->fd().is_ours() || !call_->fd().is_ours() || !timer_->fd().is_ours();
}

bool Keeper::has_lost_descriptors() const {
  if (!poller_) return false;  // it has ended
  return has_lost_what_calls() || lost_what_children_share() || (nursery_ && nursery_->has_lost_descriptors());
}

void Keeper::note_loss() noexcept {
  if (!loss_noted_.exchange(true)) call_listener();
}

bool Keeper::must_call_for_timer() const {
  if (timer_at_ == 0 || on_listener()) return false;
  return looks_by_ == 0 || timer_at_ + late_ns < looks_by_;
}

std::int64_t Keeper::look_for_losses(std::int64_t now) {
  const std::int64_t timer = look_whether_timer_fired(now);
  const std::int64_t unheard = look_at_the_unheard(now);
  return timer < 0 || unheard < 0 ? std::max(timer, unheard) : std::min(timer, unheard);
}

std::int64_t Keeper::look_at_the_unheard(std::int64_t now) {
  if (unheard_since_ == 0 || descriptors_lost_) return -1;
  if (now < unheard_since_ + late_ns) return unheard_since_ + late_ns;
  unheard_since_ = 0;
  bool lost = false;
  for_each_child([&](Process& each) {
    if (each.pid == 0 || is_heard(each)) return;
    unheard_since_ = now;  // on a busy machine, or it was stopped
    lost = lost || has_lost_descriptors(each);
  });
  if (lost) lose_descriptors();
  return lost || unheard_since_ == 0 ? -1 : unheard_since_ + late_ns;
}

std::int64_t Keeper::look_whether_timer_fired(std::int64_t now) {
  if (timer_at_ == 0 || descriptors_lost_) return -1;
  if (now < timer_at_ + late_ns) return timer_at_ + late_ns;
  if (has_lost_descriptors()) lose_descriptors();
  return -1;  // a busy machine: it is about to fire
}

void Keeper::lose_descriptors() {
  if (descriptors_lost_) return;
  descriptors_lost_ = true;
  const std::string kind = words_.kind;
  break_down(words_.name + ": this program has closed descriptors that are the " + kind +
             "'s, as code does that makes a daemon of it (os.closerange, closefrom): its " + words_.child +
             "s are gone. Make " + kind + "s after that");
  for_each_child([this](Process& each) { bury_untold(each); });
  on_all_buried();
  os::cancel(supervisor_);
  end_without_descriptors();
}

void Keeper::end_without_descriptors() {
  if (descriptors_lost_) static_cast<void>(is_over());
}

}  // namespace hotspare::child
