#include "child/has_room.hpp"
#include "child/nursery.hpp"
#include "child/process.hpp"
#include "os/end_teller.hpp"
#include "os/process.hpp"
#include "os/socket.hpp"
#include "zygote/embedding.hpp"

#include <new>
#include <string>
#include <utility>

/// How seed, zygote and standby end, and who takes their places.
namespace hotspare::child {
namespace {

constexpr unsigned most_deaths_in_a_row = 3;

}  // namespace

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
  reap_seed(*seed_);
  drop(*seed_);
  seed_.reset();
  reap_what_is_ours();
  if (!zygote_.control || zygote_.born) return want_standby();
  // It had been asked for the zygote.
  drop(zygote_);
  ++deaths_in_a_row_;
  if (deaths_in_a_row_ >= most_deaths_in_a_row) return give_up(into);
  if (new_zygote() == nullptr && pause_.until() == 0) into.emplace_back(told::NoZygote{});
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
  on_message(zygote_, into, true);                                      // what it said before it died
  if (!has_room_for_one(into) || !has_room_for_one(unreaped_)) return;  // it is heard again
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
  const bool too_many = deaths_in_a_row_ >= most_deaths_in_a_row;
  if (too_many && has_preload()) {
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
  if (too_many) {  // with nothing of the program's to crash in: somebody kills them
    note_refusal();
    into.emplace_back(told::Refused{0, "the last zygotes died before they were ready"});
    return "another is tried again soon";
  }
  if (const char* const how = new_zygote(); how != nullptr) return how;
  if (pause_.until() != 0) return "another is tried again soon";
  into.emplace_back(told::NoZygote{});
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

}  // namespace hotspare::child
