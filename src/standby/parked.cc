#include "os/futex.hpp"
#include "standby/decide.hpp"
#include "standby/replica.hpp"
#include "worker/crash_point.hpp"
#include "zygote/embedding.hpp"

#include <algorithm>
#include <array>
#include <climits>
#include <linux/futex.h>

/// Modes in which one replica works: how the others wait for its death, and take over.
namespace hotspare::standby {

using worker::CrashPoint;
using worker::reach;

/// Asleep on the helmsman's robust word: its death wakes us with nobody between. Returns at the helm, or when it is to leave.
void Replica::park() {
  const bool loads = loads_ || seat_->geometry().commit_every != 0;
  for (;;) {
    const std::uint32_t bell = seat_->bells().parked.load(std::memory_order_acquire);
    if (must_leave()) {
      leaving_ = true;
      return;
    }
    const Helm helm = Helm::unpack(seat_->bells().helm.load(std::memory_order_acquire));
    seat_->lane().seen_term.store(helm.term, std::memory_order_release);
    if (helm.lane == seat_->number()) break;
    if (helm.lane < seat_->geometry().lanes) {
      const std::uint32_t life = seat_->lane_of(helm.lane).parked_word().load(std::memory_order_acquire);
      if ((life & FUTEX_OWNER_DIED) != 0 && take_helm(helm)) break;
      if (loads) load_from(helm.lane);
    }
    sleep_until_something_moves(helm, bell);
  }
  reach(CrashPoint::replica_takes_over);
  take_over();
}

void Replica::sleep_until_something_moves(Helm helm, std::uint32_t bell) {
  std::array<os::FutexWatch, 2> watches{os::FutexWatch{&seat_->bells().parked, bell, os::FutexScope::shared}};
  std::size_t count = 1;
  if (helm.lane < seat_->geometry().lanes) {
    const std::atomic<std::uint32_t>& word = seat_->lane_of(helm.lane).parked_word();
    const std::uint32_t life = word.load(std::memory_order_acquire);
    // Marked since we looked: look again. Free: that lane is nobody's, and the helm is about to move.
    if ((life & FUTEX_OWNER_DIED) != 0) return;
    if ((life & FUTEX_TID_MASK) != 0) watches[count++] = {&word, life, os::FutexScope::shared};
  }
  const zygote::Idle idle;
  // Where that is refused the host hears of the death, moves the helm, and rings.
  if (os::futex_wait_any({watches.data(), count}, -1) == os::cannot_wait_any)
    os::futex_wait(seat_->bells().parked, bell, os::FutexScope::shared);
}

/// One of all who want it gets it. The others have to look whom to watch now.
bool Replica::take_helm(Helm from) {
  std::uint64_t expected = from.packed();
  const Helm to = from.moved_to(seat_->number());
  if (!seat_->bells().helm.compare_exchange_strong(expected, to.packed(), std::memory_order_seq_cst)) return false;
  seat_->lane().seen_term.store(to.term, std::memory_order_release);
  ring(seat_->bells().parked, INT_MAX);
  return true;
}

/// From which block on it goes on. What work() answers again that was answered before, nobody waits for.
void Replica::take_over() {
  const Geometry& geometry = seat_->geometry();
  const std::uint64_t block = newest();
  const std::uint64_t before = block > 0 ? block - 1 : 0;
  if (geometry.mode == StandbyMode::stateless) return set_done(before);
  if (geometry.commit_every != 0) {
    for (std::uint32_t lane = 0; lane < geometry.lanes; ++lane)
      if (lane != seat_->number()) load_from(lane);
  } else if (geometry.replay_blocks != 0) {
    if (done_ + 1 < std::max(window_to(before), oldest())) begin_window(before);
  }
  // The history does not reach back to the state that we have: go on without, and say so.
  if (block - done_ >= geometry.history - 1) {
    seat_->lane().lost_state.fetch_add(1, std::memory_order_relaxed);
    set_done(before);
  }
}

}  // namespace hotspare::standby
