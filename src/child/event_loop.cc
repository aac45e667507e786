#include "child/keeper.hpp"
#include "os/socket.hpp"

#include <array>

/// The supervisor's loop: waits, and passes each notice to the part that it concerns.
namespace hotspare::child {

void Keeper::make_event_loop(const char* what) {
  poller_ = os::or_throw(os::Poller::make(), what);
  call_ = os::or_throw(os::Notifier::make(), what);
  timer_ = os::or_throw(os::Timer::make(), what);
  os::or_throw(poller_->watch(call_->fd(), tag(Tag::call)), what);
  os::or_throw(poller_->watch(timer_->fd(), tag(Tag::timer)), what);
}

bool Keeper::on_batch(os::Result<os::Notices>& ready) {
  if (!ready || descriptors_lost_) {
    take_step([this] { lose_descriptors(); });
    to_tee_.clear();  // stderr may be another's file by now
    return true;
  }
  for (const os::Ready& notice : *ready) take_step([&] { on_ready(notice); });
  bool over = false;
  take_step([&] { over = is_over(); });
  return over;
}

void Keeper::on_ready(const os::Ready& ready) {
  const Tag kind = kind_of(ready.tag);
  switch (kind) {
    case Tag::call: call_->clear(); return on_call();
    case Tag::timer: timer_->clear(); return on_timer();
    case Tag::nursery_message:
    case Tag::nursery_exit: {
      std::vector<Told> told;
      nursery_->on_ready(ready.tag, told);
      return hear(std::move(told));
    }
    case Tag::exit:
    case Tag::lifeline:
    case Tag::standard_error: break;
  }
  if (Process* const process = child(process_of(ready.tag)); process != nullptr) on_child_ready(kind, *process, ready);
}

void Keeper::on_child_ready(Tag kind, Process& process, const os::Ready& ready) {
  switch (kind) {
    case Tag::exit:
      if (nursery_->has_ended(process)) on_exit(process);
      return;
    case Tag::lifeline:
      poller_->forget(process.lifeline.fd());
      if (Nursery::ends_unseen(process)) return on_exit(process);
      return on_lifeline_closed(process);
    case Tag::standard_error:
      forward_stderr(process);
      if (ready.hung_up && !ready.readable) poller_->forget(process.stderr_pipe);
      return;
    default: return;
  }
}

void Keeper::untold() const noexcept {
  os::say_on_stderr("hotspare: there was no memory to tell of an event: one is missing");
}

bool Keeper::forward_stderr(Process& process) {
  std::array<std::byte, 4096> room;
  const std::size_t size = os::read_available(process.stderr_pipe, room);
  process.stderr_tail.add({room.data(), size});
  if (tees_stderr()) to_tee_.insert(to_tee_.end(), room.data(), room.data() + size);
  return size != 0;
}

void Keeper::read_last_stderr(Process& process) {
  constexpr int most_pieces = 64;  // more than a pipe holds; what it has started may write on
  for (int piece = 0; piece < most_pieces && forward_stderr(process);) ++piece;
  if (!to_tee_.empty()) call_supervisor();  // the supervisor writes it
}

}  // namespace hotspare::child
