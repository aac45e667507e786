#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/process.hpp"
#include "os/socket.hpp"
#include "standby/checksum.hpp"
#include "standby/decide.hpp"
#include "standby/replica.hpp"
#include "worker/crash_point.hpp"
#include "zygote/embedding.hpp"

#include <algorithm>
#include <climits>
#include <cstring>
#include <cxxabi.h>
#include <exception>
#include <string>

/// What the host orders between two blocks: to commit the state, or to fork an heir.
namespace hotspare::standby {

using worker::CrashPoint;
using worker::reach;

bool Replica::order_waits() const { return seat_->lane().order.load(std::memory_order_acquire) >> 8 != ticket_; }

/// When the order that waits is to be obeyed, ns: 0: now, or there is none.
std::int64_t Replica::order_due() const {
  if (!order_waits() || !settled_) return 0;  // nobody waits for a spare's answer
  const std::int64_t now = os::monotonic_ns();
  const std::int64_t due = time_for_an_order(now, last_answer_at_, seat_->geometry().period_ns);
  return due > now ? due : 0;
}

/// True: there was something to do, so there may be a block by now.
bool Replica::obey() {
  if (!middles_.empty()) reap_middles();
  const std::uint64_t order = seat_->lane().order.load(std::memory_order_acquire);
  if (order >> 8 == ticket_) return false;
  ticket_ = order >> 8;
  switch (order_of(order)) {
    case Order::save: commit(); break;
    case Order::fork: bequeath(ticket_); break;
    case Order::leave: leaving_ = true; break;
    case Order::none: break;
  }
  return true;
}

/// Into the one of the two places that nobody is reading: a death in here leaves the last state as it was. False: save() threw,
/// or has outgrown the room, which is no reason to die: the host is told why.
[[gnu::no_sanitize("null")]] bool Replica::save_into(std::span<std::byte> room, std::size_t& size) {
  std::string why;
  try {
    size = body_->save(room);
    if (size <= room.size()) return true;
    why = "the state has " + std::to_string(size) + " bytes, and StandbyOptions::state_bytes is " +
          std::to_string(room.size());
  } catch (const std::exception& error) {
    why = error.what();
  } catch (const abi::__forced_unwind&) {
    throw;  // it ends its thread
  } catch (...) {
    why = "save() threw something that is no std::exception";
  }
  Lane& lane = seat_->lane();
  why.resize(std::min(why.size(), sizeof lane.save_refusal - 1));
  std::memcpy(lane.save_refusal, why.c_str(), why.size() + 1);
  // SYNC POINT save-refused: acquired by Crew::hear_refusal.
  lane.saves_refused.fetch_add(1, std::memory_order_release);
  ring(seat_->bells().host, 1);
  return false;
}

void Replica::commit() {
  Lane& lane = seat_->lane();
  const std::uint64_t index = lane.committed.load(std::memory_order_relaxed) + 1;
  std::size_t size = 0;
  if (!save_into(seat_->own_state(index), size)) return;
  lane.states[index % 2] = {done_, size, checksum(done_, seat_->own_state(index).first(size))};
  reach(CrashPoint::replica_in_save);
  // SYNC POINT state: acquired by Replica::load_from and Crew::look_at.
  lane.committed.store(index, std::memory_order_seq_cst);
  if (has_helm()) {
    ring(seat_->bells().parked, INT_MAX);
  } else {
    ring(seat_->bells().host, 1);
  }
}

/// Twice, so that the heir becomes the zygote's child at once, and this one waits only for the first fork. What the heir is
/// to be is taken out of the socket here: should it die before it can say anything, nobody holds its end of its lifeline any
/// more, and the host hears that.
void Replica::bequeath(std::uint64_t ticket) {
  ReplicaStart start;
  std::vector<os::Fd> fds;
  while (start.ticket != ticket) {  // those of orders that came too late were given up by the host
    auto received = os::receive_message(seat_->orders(), std::as_writable_bytes(std::span(&start, 1)), os::Wait::no);
    if (!received || received->size != sizeof start || received->fds.size() != zygote::replica_fd_count)
      return cannot_fork(ticket);
    fds = std::move(received->fds);
  }
  auto middle = zygote::fork_image();
  if (!middle) return cannot_fork(ticket);
  if (*middle > 0) {
    middles_.push_back({*middle, ticket});
    reach(CrashPoint::replica_in_fork);
    return;
  }
  const pid_t own = os::own_pid();
  auto heir = zygote::fork_image();
  if (!heir) os::exit_now(1);
  if (*heir > 0) {
    os::make_group_leader(*heir);  // the donor may die before the heir runs, and what is in its group is ended then
    os::exit_now(0);
  }
  os::wait_for_other_parent(own);  // the zygote adopts its children only
  be_born(start, std::move(fds));
}

void Replica::cannot_fork(std::uint64_t ticket) {
  seat_->lane().fork_failed.store(ticket, std::memory_order_seq_cst);
  ring(seat_->bells().host, 1);
}

/// One that the program has reaped told nobody how it ended: if there is no heir, the end of its lifeline says so.
void Replica::reap_middles() {
  std::erase_if(middles_, [this](const Middle& middle) {
    const auto status = os::reap_if_ended(middle.pid);
    if (status && *status > 0) cannot_fork(middle.ticket);
    return status.has_value();
  });
}

/// In the heir: a seat of its own, the state as it is.
void Replica::be_born(const ReplicaStart& start, std::vector<os::Fd> fds) {
  worker::arm_crash_points(start.id);
  reach(CrashPoint::heir_unborn);
  seat_.reset();  // before anything else is mapped there
  seat_ = Seat::take(start, std::move(fds));
  middles_.clear();
  ticket_ = 0;
  ready_ = false;
  told_spare_ = false;
  settled_ = false;
  use_followers_priority();
  body_->inherited();
  answered_ = 0;
  set_done(done_);
  seat_->lane().pid.store(os::own_pid(), std::memory_order_seq_cst);
  tell_phase(Phase::catching_up);
  reach(CrashPoint::heir_announced);
  live();
  zygote::call(hotspare::detail::embedding().worker_leaves);
  os::exit_now(0);
}

/// For a state that the host has another replica commit.
void Replica::await_source() {
  tell_phase(Phase::needs_state);
  for (;;) {
    const std::uint32_t bell = seat_->blocks().bell.load(std::memory_order_acquire);
    if (must_leave()) {
      leaving_ = true;
      return;
    }
    // SYNC POINT source: released by Crew::give_state.
    const std::uint32_t source = seat_->lane().source.load(std::memory_order_acquire);
    if (source != 0 && load_from(source - 1)) return tell_phase(Phase::catching_up);
    if (source != 0) {  // damaged, by the one whose it was: the host looks for another
      seat_->lane().source.store(0, std::memory_order_seq_cst);
      tell_phase(Phase::needs_state);
      continue;
    }
    const zygote::Idle idle;
    os::futex_wait(seat_->blocks().bell, bell, os::FutexScope::shared);
  }
}

/// Takes the last state that this lane's replica committed, if it is newer than what we have. False: there is none.
bool Replica::load_from(std::uint32_t number) {
  const Lane& lane = seat_->lane_of(number);
  constexpr int most_tries = 100;  // of a lane that is written without pause
  for (int tries = 0; tries < most_tries; ++tries) {
    const std::uint64_t index = lane.committed.load(std::memory_order_acquire);
    if (index == 0) return false;
    const StateAt at = lane.states[index % 2];
    if (at.size > scratch_.size() || at.block > newest()) return false;  // damaged
    if (at.block <= done_) return true;
    std::memcpy(scratch_.data(), seat_->state_of(number, index).data(), at.size);
    std::atomic_thread_fence(std::memory_order_acquire);
    // Only after two more commits could it have been written while it was read; after one that may have begun.
    if (lane.committed.load(std::memory_order_relaxed) != index) continue;
    const std::span<const std::byte> state(scratch_.data(), at.size);
    if (checksum(at.block, state) != at.sum) return false;
    body_->load(state);
    set_done(at.block);
    reach(CrashPoint::replica_in_load);
    return true;
  }
  return false;
}

}  // namespace hotspare::standby
