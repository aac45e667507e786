#include "child/nursery.hpp"

#include "child/process.hpp"
#include "os/clock.hpp"
#include "os/end_teller.hpp"
#include "os/process.hpp"
#include "os/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <span>
#include <utility>

namespace hotspare::child {
namespace {

/// A zygote forks within milliseconds. One that does not may have been stopped: it is told to go on. One that does not even
/// then is replaced.
constexpr std::int64_t patience_ns = 1'000'000'000;
constexpr std::int64_t patience_after_reminder_ns = 10'000'000'000;

/// A message that nobody is there to receive is no reason that helps anybody.
os::Failure why_not_started(os::Failure failure) {
  if (failure.code == EPIPE || failure.code == ECONNRESET)
    failure.call =
        "the process that is to start the others died as it began (a fork handler, its program, somebody outside): " +
        failure.call;
  return failure;
}

}  // namespace

Nursery::~Nursery() { leave().wait(); }

os::Status Nursery::start() {
  auto planted = plant_seed();
  if (!planted) return why_not_started(planted.failure());
  auto copy = ask_copy(*seed_);
  if (!copy) return why_not_started(copy.failure());
  return employ(std::move(*copy));
}

/// Its zygotes adopt what their workers leave behind, and it adopts what its zygotes leave behind.
os::Status Nursery::plant_seed() {
  auto launched = zygote::launch(plan_.image);
  if (!launched) return launched.failure();
  seed_ = std::move(*launched);
  seed_->number = ++last_number_;
  zygote::Request guard;
  guard.ask = zygote::Ask::guard;
  if (seed_->pidfd) {
    if (auto sent = zygote::send(seed_->control.fd(), guard); !sent) return sent;
  } else {
    auto end = os::make_end_teller();
    if (!end) return end.failure();
    seed_->pidfd = std::move(end->ours);
    const int fd = end->theirs.get();
    if (auto sent = zygote::send(seed_->control.fd(), guard, {&fd, 1}); !sent) return sent;
  }
  if (auto watched = poller_.watch(seed_->control.fd(), tag(Tag::nursery_message, seed_->number)); !watched)
    return watched;
  return poller_.watch(seed_->pidfd, tag(Tag::nursery_exit, seed_->number));
}

/// From now on this one forks the processes.
os::Status Nursery::employ(zygote::Handle zygote) try {
  zygote_ = std::move(zygote);
  zygote_.ready = false;
  const std::uint64_t messages = tag(Tag::nursery_message, zygote_.number);
  if (auto watched = poller_.watch(zygote_.control.fd(), messages); !watched) return watched;
  return zygote::set_up(zygote_, plan_.setup);
} catch (const std::bad_alloc&) {
  drop(zygote_);  // one that was not set up would never be ready
  throw;
}

os::Status Nursery::spawn(std::uint64_t id, std::uint32_t lane, std::span<const int> fds) {
  // The descriptor that the answer brings is held free by another one meanwhile.
  auto room = os::Notifier::make();
  os::Status status = os::Done{};
  if (!room) {
    status = room.failure();
  } else if (!zygote_.unsent.empty()) {
    status = os::Failure{EAGAIN, "the zygote's socket is full"};
  } else {
    asked_.push_back({id, std::move(*room)});  // before it is sent: its answer must find it
    zygote::Request request;
    request.ask = zygote::Ask::spawn;
    request.worker = id;
    request.lane = lane;
    status = zygote::send(zygote_.control.fd(), request, fds);
    if (!status) asked_.pop_back();
  }
  if (!status) {
    note_refusal();
    return status;
  }
  if (answer_by_ == 0) watch_answers();
  return status;
}

void Nursery::note_refusal() { pause_.refused(os::monotonic_ns()); }

void Nursery::watch_answers() {
  reminded_ = false;
  answer_by_ = asked_.empty() ? 0 : os::monotonic_ns() + patience_ns;
}

bool Nursery::request(pid_t parent, const zygote::Request& request) {
  if (parent == 0) return false;
  if (parent == zygote_.pid && zygote_.control) return send(zygote_, request);
  return in_seed(parent) && send(*seed_, request);
}

/// What its socket has no room for now is sent when it has.
bool Nursery::send(zygote::Handle& to, const zygote::Request& request) {
  if (to.unsent.empty()) {
    const auto sent = zygote::send(to.control.fd(), request);
    if (sent) return true;
    if (sent.failure().code != EAGAIN) return false;
    static_cast<void>(poller_.watch_room(to.control.fd(), tag(Tag::nursery_message, to.number), true));
  }
  to.unsent.push_back(request);
  return true;
}

bool Nursery::ask_to_reap(Process& process) {
  process.reap_asked = true;
  zygote::Request reap;
  reap.ask = zygote::Ask::reap;
  reap.worker = process.id;
  reap.pid = process.pid;
  return request(process.parent, reap);
}

void Nursery::ask_to_signal(const Process& process, int signal, Whom whom) {
  if (process.number() == 0) return;
  zygote::Request ask;
  ask.ask = whom == Whom::group ? zygote::Ask::signal_group : zygote::Ask::signal;
  ask.pid = process.number();
  ask.signal = signal;
  static_cast<void>(request(process.parent, ask));
}

void Nursery::foster(Process& process) {
  process.parent = seed_ ? seed_->pid : 0;
  if (process.pid == 0) return;
  zygote::Request foster;
  foster.ask = zygote::Ask::foster;
  foster.pid = process.pid;
  if (!os::is_end_teller(process.pidfd)) {
    static_cast<void>(request(process.parent, foster));
    return;
  }
  // Who was to tell of its end is dead.
  if (os::exited(process.pidfd)) return;
  poller_.forget(process.pidfd);
  auto end = os::make_end_teller();
  if (end && seed_) {
    const int fd = end->theirs.get();
    process.pidfd = std::move(end->ours);
    if (poller_.watch(process.pidfd, tag(Tag::exit, process.id)) && zygote::send(seed_->control.fd(), foster, {&fd, 1}))
      return;
  }
  process.parent = 0;
  os::shut(process.lifeline.fd());  // nobody could tell of its end, so it ends now: its end of that closes
}

bool Nursery::has_ended(Process& process) {
  if (os::exited(process.pidfd)) return true;
  poller_.forget(process.pidfd);  // nobody tells any more: we hear of its parent's death soon
  return false;
}

bool Nursery::ends_unseen(const Process& process) {
  return process.parent == 0 && !process.exited && os::is_end_teller(process.pidfd);
}

zygote::Handle* Nursery::find(std::uint64_t number) {
  if (zygote_.number == number) return &zygote_;
  if (standby_ && standby_->number == number) return &*standby_;
  return seed_ && seed_->number == number ? &*seed_ : nullptr;
}

void Nursery::on_ready(std::uint64_t tag, std::vector<Told>& into) {
  zygote::Handle* const whose = find(process_of(tag));
  if (whose == nullptr) return;
  if (kind_of(tag) == Tag::nursery_message) return on_message(*whose, into);
  if (kind_of(tag) == Tag::nursery_exit) on_exit(*whose, into);
}

void Nursery::on_exit(zygote::Handle& handle, std::vector<Told>& into) {
  if (is_seed(handle)) return on_seed_exit(into);
  if (os::teller_gone(handle.pidfd)) return poller_.forget(handle.pidfd);  // it lives: the end of its socket will tell
  return &handle == &zygote_ ? on_zygote_exit(into) : on_standby_exit();
}

std::int64_t Nursery::due_at() const {
  if (answer_by_ == 0 || pause_.until() == 0) return std::max(answer_by_, pause_.until());
  return std::min(answer_by_, pause_.until());
}

void Nursery::on_timer(std::int64_t now, std::vector<Told>& into) {
  if (pause_.until() != 0 && pause_.until() <= now) {
    pause_.over();
    if (zygote_.control) {
      if (zygote_.ready) into.emplace_back(told::Ready{});
    } else if (new_zygote() == nullptr && pause_.until() == 0) {
      into.emplace_back(told::NoZygote{});
    }
  }
  if (answer_by_ == 0 || answer_by_ > now) return;
  on_message(zygote_, into);  // it may have answered while we were away
  if (answer_by_ != 0 && answer_by_ <= now) remind_zygote(now);
}

void Nursery::remind_zygote(std::int64_t now) {
  answer_by_ = now + patience_after_reminder_ns;
  if (std::exchange(reminded_, true)) {
    os::signal_process(zygote_.pidfd, SIGKILL);  // its exit brings another
  } else {
    os::signal_process(zygote_.pidfd, SIGCONT);
  }
}

bool Nursery::has_lost_descriptors() const {
  const auto lost = [](const zygote::Handle& handle) {
    return (handle.control && !handle.control.fd().is_ours()) || (handle.pidfd && !handle.pidfd.is_ours()) ||
           (handle.lifeline && !handle.lifeline.fd().is_ours());
  };
  return lost(zygote_) || (standby_ && lost(*standby_)) || (seed_ && lost(*seed_));
}

/// A zygote that dies may have told of some that nobody has heard of.
void Nursery::hear_the_last() noexcept try {
  std::vector<Told> last;
  on_message(zygote_, last, true);
  for (Told& each : last)
    if (auto* const spawned = std::get_if<told::Spawned>(&each)) reap_later(spawned->pid, std::move(spawned->pidfd));
} catch (const std::bad_alloc&) {
  // Then one of them may stay behind, where this process adopts orphans.
}

Leaving Nursery::leave() {
  Leaving leaving;
  hear_the_last();
  const auto release = [this](zygote::Handle& from, os::Fd& to) {
    if (from.pidfd) poller_.forget(from.pidfd);
    to = std::move(from.pidfd);
    drop(from);
  };
  release(zygote_, leaving.zygotes_[0]);
  if (standby_) release(*standby_, leaving.zygotes_[1]);
  standby_.reset();
  if (seed_) {
    poller_.forget(seed_->control.fd());
    poller_.forget(seed_->pidfd);
    leaving.seed_ = std::move(*seed_);
  }
  seed_.reset();
  leaving.unreaped_ = std::exchange(unreaped_, {});
  asked_.clear();
  answer_by_ = 0;
  pause_ = Pause();
  return leaving;
}

}  // namespace hotspare::child
