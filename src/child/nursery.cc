#include "child/nursery.hpp"

#include "child/process.hpp"
#include "os/clock.hpp"
#include "os/end_teller.hpp"
#include "os/process.hpp"
#include "os/socket.hpp"
#include "zygote/embedding.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <span>
#include <utility>

namespace hotspare::child {
namespace {

constexpr unsigned most_deaths_in_a_row = 3;
/// A zygote forks within milliseconds. One that does not may have been stopped: it is told to go on. One that does not even
/// then is replaced.
constexpr std::int64_t patience_ns = 1'000'000'000;
constexpr std::int64_t patience_after_reminder_ns = 10'000'000'000;
/// How long those that leave may take; a stopped one, or one in a preload hook that hangs, is killed then.
constexpr std::chrono::seconds leave_patience(5);
constexpr std::chrono::seconds kill_patience(2);

/// The program may have done so.
void reap(const zygote::Handle& seed) {
  if (os::reap_child(seed.pidfd).known) return;
  if (os::is_end_teller(seed.pidfd) && os::teller_gone(seed.pidfd)) {
    os::reap_child(seed.pid);  // its files close before it can be reaped
  } else {
    static_cast<void>(os::reap_if_ended(seed.pid));
  }
}

}  // namespace

Nursery::~Nursery() { leave().wait(); }

os::Status Nursery::start() {
  auto planted = plant_seed();
  if (!planted) return planted;
  auto copy = ask_copy(*seed_);
  if (!copy) return copy.failure();
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

namespace {

/// What a message tells is told, though there may be no memory by then. False: it is to stay where it is.
template <class Element>
bool has_room_for_one(std::vector<Element>& into) noexcept try {
  constexpr std::size_t at_most = 4;  // by one message, and what it leads to
  if (into.capacity() - into.size() < at_most) into.reserve(2 * into.size() + at_most);
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

/// The same failure where there is no memory to take it as where there is none to take.
os::Result<os::Received> take_reply(const os::Fd& socket, zygote::Reply& reply) noexcept try {
  return os::receive_message(socket, std::as_writable_bytes(std::span(&reply, 1)), os::Wait::no);
} catch (const std::bad_alloc&) {
  return os::Failure{ENOMEM, "recvmsg()"};
}

/// Whether the copy that it tells of now was given up while it was on its way.
bool is_unwanted(zygote::Handle& from) noexcept {
  if (from.unwanted == 0) return false;
  --from.unwanted;
  return true;
}

/// Empty where there is no memory for it.
std::string text_of(const char* text) noexcept try { return text; } catch (const std::bad_alloc&) {
  return {};
}
std::string text_of(const os::Failure& failure) noexcept try { return failure.text(); } catch (const std::bad_alloc&) {
  return {};
}

}  // namespace

void Nursery::on_message(zygote::Handle& from, std::vector<Told>& into, bool last) {
  while (!from.unsent.empty() && zygote::send(from.control.fd(), from.unsent.front())) {
    from.unsent.pop_front();
    if (!from.unsent.empty()) continue;
    static_cast<void>(poller_.watch_room(from.control.fd(), tag(Tag::nursery_message, from.number), false));
  }
  bool closed = false;
  while (from.control) {
    if (!asked_.empty()) asked_.front().room.reset();
    zygote::Reply reply;
    if (!has_room_for_one(into)) break;
    auto received = take_reply(from.control.fd(), reply);
    if (!received) break;
    if (received->size != sizeof reply) {
      poller_.forget(from.control.fd());  // closed: its pidfd tells the rest
      closed = !last && &from == &zygote_ && os::teller_gone(from.pidfd);
      break;
    }
    reply.text[sizeof reply.text - 1] = '\0';
    on_reply(from, reply, *received, into);
  }
  if (closed) return on_zygote_exit(into);
  for (Asked& asked : asked_) {
    if (asked.room) continue;
    if (auto room = os::Notifier::make()) asked.room = std::move(*room);
  }
}

void Nursery::on_reply(zygote::Handle& from, const zygote::Reply& reply, os::Received& received,
                       std::vector<Told>& into) {
  switch (reply.say) {
    case zygote::Say::ready:
      from.ready = true;
      deaths_in_a_row_ = 0;
      if (from.born) into.emplace_back(told::Ready{});
      return;
    case zygote::Say::spawned: return on_spawned(from, reply, received, into);
    case zygote::Say::standby: return on_copy(from, reply, received, into);
    case zygote::Say::reaped:
      std::erase_if(unreaped_, [&reply](const Unreaped& each) { return each.pid == reply.pid; });
      if (reply.worker != 0) into.emplace_back(told::Reaped{reply.worker, reply.status});
      return;
    case zygote::Say::no_copy: return on_no_copy(from, reply.text, into);
    case zygote::Say::failed: break;
  }
  if (reply.worker == 0) {
    into.emplace_back(told::Broken{text_of(reply.text)});
    return;
  }
  answered(reply.worker);
  if (!reply.was_heir) note_refusal();
  into.emplace_back(told::Refused{reply.worker, text_of(reply.text), reply.was_heir});
}

void Nursery::answered(std::uint64_t id) {
  std::erase_if(asked_, [id](const Asked& asked) { return asked.id == id; });
  watch_answers();
}

/// Its parent does not reap it before we ask for that, so until then the number is its own, too.
void Nursery::on_spawned(zygote::Handle& from, const zygote::Reply& reply, os::Received& received,
                         std::vector<Told>& into) {
  answered(reply.worker);
  os::Result<os::Fd> pidfd = received.fds.empty() ? os::open_pidfd(reply.pid) : std::move(received.fds[0]);
  if (pidfd) {
    pause_.succeeded();
    into.emplace_back(told::Spawned{reply.worker, reply.pid, std::move(*pidfd), from.pid});
    return;
  }
  zygote::Request end;  // nobody could hear of its death
  end.ask = zygote::Ask::reap;
  end.pid = reply.pid;
  static_cast<void>(send(from, end));
  note_refusal();
  into.emplace_back(told::Refused{reply.worker, text_of(pidfd.failure())});
}

void Nursery::want_standby() {
  if (standby_ || !zygote_.ready || pause_.until() != 0) return;
  auto asked = ask_copy(zygote_);
  if (asked) standby_ = std::move(*asked);
}

os::Result<zygote::Handle> Nursery::ask_copy(const zygote::Handle& of) {
  auto copy = zygote::ask_copy(of);
  if (copy) copy->number = ++last_number_;
  return copy;
}

/// From the seed comes the zygote, from the zygote its standby.
void Nursery::on_copy(zygote::Handle& from, const zygote::Reply& reply, os::Received& received,
                      std::vector<Told>& into) {
  os::Result<os::Fd> pidfd = received.fds.empty() ? os::open_pidfd(reply.pid) : std::move(received.fds[0]);
  zygote::Handle* const copy = is_seed(from) ? &zygote_ : standby_ ? &*standby_ : nullptr;
  zygote::Request reap;
  reap.ask = zygote::Ask::reap;
  reap.pid = reply.pid;
  if (is_unwanted(from) || copy == nullptr || copy->born || !copy->control) {
    static_cast<void>(send(from, reap));  // nobody waits for it any more
    return;
  }
  copy->pid = reply.pid;
  if (pidfd) copy->pidfd = std::move(*pidfd);
  copy->born = copy->pidfd && poller_.watch(copy->pidfd, tag(Tag::nursery_exit, copy->number));
  if (copy->born) {
    // It may have said that it is ready before its parent said that it is there.
    if (copy->ready) into.emplace_back(told::Ready{});
    return;
  }
  drop(*copy);
  if (!is_seed(from)) standby_.reset();
  static_cast<void>(send(from, reap));
  note_refusal();
}

/// The owner can do without a standby: the next process that is forked has it asked for again.
void Nursery::on_no_copy(zygote::Handle& from, const std::string& why, std::vector<Told>& into) {
  if (is_unwanted(from)) return;
  if (is_seed(from)) {
    drop(zygote_);
    note_refusal();
    into.emplace_back(told::Refused{0, "no zygote can be forked: " + why});
  } else if (standby_) {
    drop(*standby_);
    standby_.reset();
  }
}

void Nursery::drop(zygote::Handle& handle) {
  if (handle.control) poller_.forget(handle.control.fd());
  if (handle.pidfd) poller_.forget(handle.pidfd);
  handle = zygote::Handle();
}

/// Where its parent dies before it has reaped it, the host may be who adopts it.
void Nursery::has_ended(zygote::Handle& handle) {
  if (!os::reap_child(handle.pidfd).known) {
    poller_.forget(handle.pidfd);
    unreaped_.push_back({handle.pid, std::move(handle.pidfd)});
  }
  drop(handle);
}

void Nursery::on_standby_exit() {
  if (!standby_) return;
  zygote::Request reap;
  reap.ask = zygote::Ask::reap;
  reap.pid = standby_->pid;
  has_ended(*standby_);
  standby_.reset();
  static_cast<void>(request(zygote_.pid, reap));
  want_standby();
}

void Nursery::on_seed_exit(std::vector<Told>& into) {
  if (!seed_) return;
  on_message(*seed_, into);  // what it said before it died
  reap(*seed_);
  drop(*seed_);
  seed_.reset();
  reap_what_is_ours();
  if (!zygote_.control || zygote_.born) return;
  // It had been asked for the zygote.
  drop(zygote_);
  ++deaths_in_a_row_;
  if (deaths_in_a_row_ >= most_deaths_in_a_row) return give_up(into);
  if (new_zygote() == nullptr && pause_.until() == 0)
    into.emplace_back(told::NoZygote{"no more can be forked: zygote, standby and seed are dead"});
}

void Nursery::give_up(std::vector<Told>& into) const {
  const char* const advice = hotspare::detail::embedding().exec_advice;
  into.emplace_back(told::Broken{"the zygote died " + std::to_string(most_deaths_in_a_row) +
                                 " times in a row before it was ready (with Start::exec: " +
                                 (advice != nullptr ? advice : "does main call hotspare::init first?") +
                                 " a preload hook that crashes?)"});
}

void Nursery::on_zygote_exit(std::vector<Told>& into) {
  if (!zygote_.pidfd) return;
  on_message(zygote_, into, true);                                                        // what it said before it died
  if (!zygote_.pidfd || !has_room_for_one(into) || !has_room_for_one(unreaped_)) return;  // it is heard again
  if (!zygote_.ready) ++deaths_in_a_row_;
  dead_zygote_ = zygote_.pid;
  has_ended(zygote_);
  reap_what_is_ours();
  asked_.clear();
  watch_answers();
  into.emplace_back(told::ZygoteDied{dead_zygote_});
}

void Nursery::reap_later(pid_t pid, os::Fd pidfd) noexcept {
  reap_what_is_ours();
  if (!pidfd || os::is_end_teller(pidfd) || !has_room_for_one(unreaped_)) return;
  unreaped_.push_back({pid, std::move(pidfd)});
}

/// A parent's children are another's as soon as its own pidfd tells of its end.
void Nursery::reap_what_is_ours() noexcept {
  std::erase_if(unreaped_, [](const Unreaped& each) {
    return os::reap_child(each.pidfd).known || os::signal_process(each.pidfd, 0) == os::Delivery::gone;
  });
}

/// As foster() for the owner's: the seed is its parent now, and tells of its end.
void Nursery::foster_standby() {
  if (!standby_ || !standby_->born || os::exited(standby_->pidfd)) return;
  zygote::Request foster;
  foster.ask = zygote::Ask::foster;
  foster.is_zygote = true;
  foster.pid = standby_->pid;
  if (!os::is_end_teller(standby_->pidfd)) {
    static_cast<void>(send(*seed_, foster));
    return;
  }
  auto end = os::make_end_teller();
  if (!end) return;
  const int fd = end->theirs.get();
  if (!zygote::send(seed_->control.fd(), foster, {&fd, 1})) return;
  poller_.forget(standby_->pidfd);
  standby_->pidfd = std::move(end->ours);
  static_cast<void>(poller_.watch(standby_->pidfd, tag(Tag::nursery_exit, standby_->number)));
}

void Nursery::ask_seed_to_reap(pid_t pid) {
  zygote::Request reap;
  reap.ask = zygote::Ask::reap;
  reap.pid = pid;
  static_cast<void>(send(*seed_, reap));
}

const char* Nursery::replace(std::vector<Told>& into) {
  if (seed_) {
    foster_standby();
    ask_seed_to_reap(dead_zygote_);
  }
  if (deaths_in_a_row_ >= most_deaths_in_a_row) {
    give_up(into);
    return "given up";
  }
  if (standby_ && standby_->born && !os::exited(standby_->pidfd)) {
    zygote::Handle next = std::move(*standby_);
    standby_.reset();
    if (employ(std::move(next))) return "its standby took over";
    if (seed_) ask_seed_to_reap(zygote_.pid);
    drop(zygote_);
  }
  if (standby_) drop(*standby_);
  standby_.reset();
  if (const char* const how = new_zygote(); how != nullptr) return how;
  if (pause_.until() != 0) return "another is tried again soon";
  into.emplace_back(told::NoZygote{"no more can be forked: zygote, standby and seed are dead"});
  return "given up";
}

const char* Nursery::new_zygote() {
  if (zygote_.control) return "another is on its way";
  const bool again = !seed_;
  if (again && plan_.image.start == Start::fork) return nullptr;
  if (again && !planted_again()) {
    note_refusal();
    return nullptr;
  }
  if (auto copy = ask_copy(*seed_)) {
    ++seed_->unwanted;  // should that fail
    if (employ(std::move(*copy))) {
      --seed_->unwanted;
      return again ? "the program was started again as a zygote" : "the seed forks another";
    }
  }
  drop(zygote_);
  note_refusal();
  return nullptr;
}

bool Nursery::planted_again() noexcept {
  try {
    if (plant_seed()) return true;
  } catch (const std::bad_alloc&) {  // tried again later
  }
  if (seed_) drop(*seed_);
  seed_.reset();
  return false;
}

void Nursery::try_again_if_alone() noexcept {
  if (!zygote_.control && pause_.until() == 0) note_refusal();
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
      into.emplace_back(told::NoZygote{"no more can be forked: zygote, standby and seed are dead"});
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

namespace {

void see_off(const os::Fd& pidfd) noexcept {
  if (!pidfd.is_ours()) return;  // nobody could tell of its end: that of its control socket ends it
  os::signal_process(pidfd, SIGCONT);
  if (os::wait_exit(pidfd, leave_patience)) return;
  os::signal_process(pidfd, SIGKILL);
  static_cast<void>(os::wait_exit(pidfd, kill_patience));
}

}  // namespace

void Leaving::wait() noexcept {
  for (os::Fd& pidfd : zygotes_) {
    if (!pidfd) continue;
    see_off(pidfd);
    static_cast<void>(os::reap_child(pidfd));  // where the host adopts what is orphaned
    pidfd.reset();
  }
  if (seed_) {
    seed_->control.reset();
    // Where the program has closed it there is another way: it is our own child, and has not been reaped.
    if (!seed_->pidfd.is_ours() && os::is_own_child(seed_->pid))
      if (os::Fd again = os::pidfd_of(seed_->pid)) seed_->pidfd = std::move(again);
    see_off(seed_->pidfd);
    reap(*seed_);
    seed_.reset();
  }
  for (const Unreaped& each : std::exchange(unreaped_, {})) {
    static_cast<void>(os::wait_exit(each.pidfd, kill_patience));  // with its lifeline it ends
    static_cast<void>(os::reap_child(each.pidfd));
  }
}

}  // namespace hotspare::child
