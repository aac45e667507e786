#include "os/clock.hpp"
#include "os/futex.hpp"
#include "standby/core.hpp"
#include "standby/helm.hpp"
#include "task/interruptible.hpp"

#include <hotspare/error.hpp>

#include <algorithm>
#include <climits>
#include <cstring>
#include <exception>
#include <string>

/// What the real-time thread does for a block: one copy in, one wake, sleeps until somebody has answered, one copy out. No
/// lock, no allocation, no page that is not there, no call that could wait for anything but an answer or the deadline.
namespace hotspare::detail {

using standby::Helm;
using standby::Lane;

namespace {

/// One writer: a load and a store.
void count(std::atomic<std::uint64_t>& counter) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void check_sizes(const StandbyOptions& options, std::size_t in, std::size_t out) {
  if (in == options.bytes_in && out == options.bytes_out) return;
  throw Error("StandbyChannel::process: in and out must have " + std::to_string(options.bytes_in) + " and " +
              std::to_string(options.bytes_out) + " bytes (StandbyOptions), not " + std::to_string(in) + " and " +
              std::to_string(out));
}

/// What ends the wait; nothing: it goes on.
std::exception_ptr answer(Interruptible& interrupted) noexcept {
  try {
    interrupted.answer();
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

}  // namespace

BlockOutcome StandbyCore::process(std::span<const std::byte> in, std::span<std::byte> out, std::int64_t deadline_ns) {
  must_be_host("process");
  check_sizes(options_, in.size(), out.size());
  const std::int64_t begun = os::monotonic_ns();
  const std::uint64_t block = post(in);
  unsigned lane = none;
  std::exception_ptr interrupted;
  do {
    lane = find_who_answers(block, begun, deadline_ns, interrupted);
  } while (lane != none && !copy_answer(lane, block, out));
  if (lane == none) {
    stand_in(in, out);
    count(late_);
  } else {
    if (!last_answer_.empty()) std::memcpy(last_answer_.data(), out.data(), out.size());
    count(answered_);
  }
  crew_->settled(block, lane != none);
  const std::int64_t ended = os::monotonic_ns();
  if (lane != none) latency_.add(ended - begun);
  crew_->block_over(begun, ended, lane != none);
  look_for_hangs(block, ended);
  if (interrupted) std::rethrow_exception(interrupted);
  return lane == none ? BlockOutcome::late : BlockOutcome::answered;
}

/// Waits in steps, where there is more to do than to wait: patience ends, somebody hangs and the deadline is still far.
unsigned StandbyCore::find_who_answers(std::uint64_t block, std::int64_t begun, std::int64_t deadline_ns,
                                       std::exception_ptr& interrupted) noexcept {
  const bool has_helm = options_.mode != StandbyMode::lockstep;
  std::int64_t until = begun + (has_helm ? patience_ns_ : options_.hang_after.count());
  for (;;) {
    const unsigned lane = await_answer(block, std::min(until, deadline_ns), interrupted);
    if (lane != none || interrupted || until >= deadline_ns || nobody_will_answer(block)) return lane;
    if (has_helm) hand_over();
    look_for_hangs(block, until);
    until += options_.hang_after.count();
  }
}

std::uint64_t StandbyCore::post(std::span<const std::byte> in) noexcept {
  const std::uint64_t block = ++newest_;
  if (!in.empty()) std::memcpy(shared_.input(block).data(), in.data(), in.size());
  // SYNC POINT input: acquired by Replica::work.
  shared_.blocks().newest.store(block, std::memory_order_seq_cst);
  shared_.wake_working();
  return block;
}

unsigned StandbyCore::find_answer(std::uint64_t block) const noexcept {
  for (unsigned lane = 0; lane < shared_.geometry().lanes; ++lane)
    // SYNC POINT answer: released by Replica::publish. Sequentially consistent after the store of `awaited`: either we see
    // the answer, or who gave it sees that we wait.
    if (shared_.lane(lane).answered.load(std::memory_order_seq_cst) == block) return lane;
  return none;
}

/// False: who gave it died, and its lane became another's while we copied: this thread had to wait for a CPU for some time.
bool StandbyCore::copy_answer(unsigned lane, std::uint64_t block, std::span<std::byte> out) const noexcept {
  const std::span<const std::byte> answer = shared_.answer(lane, block);
  std::memcpy(out.data(), answer.data(), answer.size());
  std::atomic_thread_fence(std::memory_order_acquire);
  // Shared::renew makes it 0 before the next one is there.
  return shared_.lane(lane).answered.load(std::memory_order_relaxed) == block;
}

/// It is left out, or nobody is left and nobody comes. Who makes it so rings for us.
bool StandbyCore::nobody_will_answer(std::uint64_t block) const noexcept {
  // SYNC POINT nobody-answers: stored before the bell is rung, by Crew::leave_out and Crew::note_if_deserted.
  return crew_->deserted() || shared_.is_left_out(block);
}

unsigned StandbyCore::await_answer(std::uint64_t block, std::int64_t until_ns,
                                   std::exception_ptr& interrupted) noexcept {
  standby::Bells& bells = shared_.bells();
  Interruptible* const here = Interruptible::here();
  const Interruptible::Wake known(here, [&bells] {
    bells.caller.fetch_add(1, std::memory_order_seq_cst);
    os::futex_wake(bells.caller, 1, os::FutexScope::shared);
  });
  std::atomic<std::uint32_t>& awaited = shared_.blocks().awaited;
  unsigned lane = find_answer(block);
  for (bool in_time = true; lane == none && in_time;) {
    const std::uint32_t bell = bells.caller.load(std::memory_order_acquire);
    // SYNC POINT interrupted: after the bell was read, which rings when somebody interrupts.
    if (here != nullptr && here->rung() && (interrupted = answer(*here))) break;
    awaited.store(1, std::memory_order_seq_cst);
    lane = find_answer(block);
    if (lane != none || nobody_will_answer(block)) break;
    // Looks at the clock itself, for where somebody rings without pause the kernel does not come to it.
    in_time = sleep_on(bells.caller, bell, os::FutexScope::shared, until_ns, here) && os::monotonic_ns() < until_ns;
    lane = find_answer(block);
  }
  awaited.store(0, std::memory_order_relaxed);
  return lane;
}

/// Patience is over: the next one that could works from now on. Whether the other one hangs is judged later.
void StandbyCore::hand_over() noexcept {
  const Helm helm = Helm::unpack(shared_.bells().helm.load(std::memory_order_acquire));
  const std::uint32_t next = crew_->next_at_helm(helm.lane);
  if (next == Helm::nobody) return;
  std::uint64_t expected = helm.packed();
  if (!shared_.bells().helm.compare_exchange_strong(expected, helm.moved_to(next).packed(), std::memory_order_seq_cst))
    return;  // it has just been taken over
  shared_.wake_parked();
  count(handovers_);
}

void StandbyCore::stand_in(std::span<const std::byte> in, std::span<std::byte> out) const noexcept {
  std::size_t filled = 0;
  if (options_.when_late == WhenLate::repeat) {
    filled = out.size();
    std::memcpy(out.data(), last_answer_.data(), filled);
  } else if (options_.when_late == WhenLate::bypass) {
    filled = std::min(in.size(), out.size());
    if (filled != 0) std::memcpy(out.data(), in.data(), filled);
  }
  std::memset(out.data() + filled, 0, out.size() - filled);
}

/// Only whether somebody should look closer: that is the crew's to do, and costs a call once.
void StandbyCore::look_for_hangs(std::uint64_t block, std::int64_t now) noexcept {
  for (unsigned lane = 0; lane < shared_.geometry().lanes; ++lane) {
    if (!crew_->watched(lane)) continue;
    if (crew_->overreaches(lane, block) || crew_->stuck_for(lane, block, now) >= options_.hang_after.count())
      crew_->suspect(lane);
  }
}

}  // namespace hotspare::detail
