#include "worker/task_loop.hpp"

#include "os/clock.hpp"
#include "os/memory.hpp"
#include "os/memory_use.hpp"
#include "os/process.hpp"
#include "os/program_pages.hpp"
#include "os/prompt.hpp"
#include "os/signals.hpp"
#include "shm/spin.hpp"
#include "worker/crash_point.hpp"
#include "worker/run_task.hpp"
#include "worker/worker_state.hpp"
#include "zygote/embedding.hpp"

#include <algorithm>

namespace hotspare::worker {
namespace {

using shm::SlotState;
using shm::SlotWord;

enum class Look : unsigned char { nothing, begun, skipped };

/// Begins the task under this ticket if it is there and not taken back.
Look look_at(std::uint64_t ticket) {
  shm::TaskSlot& slot = state.channel->slot(ticket);
  // SYNC POINT task-handed: released by Account::hand_over.
  std::uint64_t bits = slot.word.load(std::memory_order_acquire);
  if (bits == shm::pack({ticket, SlotState::recalled})) return Look::skipped;
  // Recalled and freed before we came by, and the slot used again: only a ticket that never ran can be overtaken.
  if (shm::unpack(bits).ticket > ticket) return Look::skipped;
  if (bits != shm::pack({ticket, SlotState::queued})) return Look::nothing;
  if (slot.word.compare_exchange_strong(bits, shm::pack({ticket, SlotState::running}), std::memory_order_seq_cst))
    return Look::begun;
  return Look::skipped;  // the only other step from queued is recalled
}

/// Waits until there may be something at this ticket; false when the host orders to leave.
bool wait_for(std::uint64_t ticket, shm::SpinBudget& spin, Segments& segments) {
  shm::Channel& channel = *state.channel;
  const auto present = [&] {
    const SlotWord word = shm::unpack(channel.slot(ticket).word.load(std::memory_order_seq_cst));
    return word.ticket >= ticket && word.state != SlotState::empty;
  };
  const auto told_to_leave = [&] { return channel.order.load(std::memory_order_seq_cst) == shm::Order::leave; };
  if (spin.spin_until([&] { return present() || told_to_leave(); })) return present();
  for (;;) {
    channel.task_bell.about_to_sleep();
    // SYNC POINT doorbell: this look is after the mark. Worker::ring looks for the mark after the host's store.
    if (present() || told_to_leave()) break;
    if (channel.read_segments.load(std::memory_order_seq_cst) != 0) {
      segments.read_announced();
      continue;
    }
    reach(CrashPoint::before_sleep);
    {
      const zygote::Idle idle;
      channel.task_bell.await_ring();
    }
    zygote::call(detail::embedding().between_tasks);
  }
  channel.task_bell.awake();
  return present();
}

bool next_is_there(std::uint64_t ticket) {
  return state.channel->slot(ticket).word.load(std::memory_order_relaxed) == shm::pack({ticket, SlotState::queued});
}

/// Tells whoever listens that something is committed. A caller that submits and then waits is often just about to look
/// itself: a few µs of patience save the listener's wake, which costs both sides more. Never longer than that.
void tell_host(std::uint64_t next_ticket, bool has_other_core, std::int64_t now) {
  constexpr std::int64_t patience_ns = 4'000;
  const auto nobody_is_coming = [&] {
    return state.wishes->caller.load(std::memory_order_relaxed) == 0 &&
           state.wishes->listener.load(std::memory_order_relaxed) == shm::Ring::always && !next_is_there(next_ticket);
  };
  if (has_other_core) {
    while (nobody_is_coming() && os::monotonic_ns() - now < patience_ns) os::cpu_relax();
  }
  ring_host_for_result(!next_is_there(next_ticket));
}

/// How long tasks take, by the time between the ends of two that came one right after the other: the clock is read there anyway.
/// Of those that the worker waited for only some are measured: most are not to wait for a clock, too.
class Stopwatch {
 public:
  /// It has waited.
  void start() { since_ = ++waits_ % some == 0 ? os::monotonic_ns() : 0; }
  /// A task is over. next: whether another one is there, which begins now.
  void lap(std::int64_t now, bool next) {
    if (since_ != 0) pace_.add(now - since_);
    since_ = next ? now : 0;
    const std::uint32_t told = pace_.told();
    if (told == told_) return;
    told_ = told;
    state.channel->pace.store(told, std::memory_order_relaxed);
  }

 private:
  static constexpr unsigned some = 4;
  unsigned waits_ = 0;
  std::int64_t since_ = 0;  ///< 0: the next task is not measured.
  shm::Pace pace_;
  std::uint32_t told_ = 0;
};

void do_nothing(detail::TaskContext&) {}

/// False: the attempt was condemned meanwhile, its result does not count.
bool commit(shm::TaskSlot& slot, std::uint64_t ticket) {
  std::uint64_t expected = shm::pack({ticket, SlotState::running});
  // SYNC POINT result: acquired by Account::look.
  return slot.word.compare_exchange_strong(expected, shm::pack({ticket, SlotState::done}), std::memory_order_seq_cst);
}

/// It was condemned, or a stray write has spoilt its word: then the host is to see that, and not to take it for one that has
/// not begun.
void give_up(shm::TaskSlot& slot, std::uint64_t ticket) {
  std::uint64_t spoilt = shm::pack({ticket, SlotState::queued});
  slot.word.compare_exchange_strong(spoilt, shm::pack({ticket, SlotState::empty}), std::memory_order_seq_cst);
  ring_host();
}

}  // namespace

void warm_up(Segments& segments) {
  os::populate({reinterpret_cast<std::byte*>(state.channel->slots), 4 * os::page_size()});
  os::populate_program();
  const detail::FunctionRef nothing = detail::locate(reinterpret_cast<const void*>(&do_nothing));
  shm::TaskSlot slot;
  slot.entry_module = nothing.module;
  slot.entry_offset = nothing.offset;
  TaskRunner(segments).run(slot);
}

void run_tasks(Segments& segments, bool has_other_core) {
  TaskRunner runner(segments);
  os::Prompt prompt;  // a spare is to run before those that are busy dying
  shm::SpinBudget spin(has_other_core);
  Stopwatch watch;
  // Tickets start at 1: a fresh channel's zeroed words mean no ticket.
  for (std::uint64_t ticket = 1;;) {
    reach(CrashPoint::between_tasks);
    zygote::call(detail::embedding().between_tasks);
    switch (look_at(ticket)) {
      case Look::nothing:
        if (!wait_for(ticket, spin, segments)) {
          reach(CrashPoint::before_leave);
          return;
        }
        watch.start();
        break;
      case Look::skipped: ++ticket; break;
      case Look::begun: {
        shm::TaskSlot& slot = state.channel->slot(ticket);
        prompt.end();
        reach(CrashPoint::after_begin);
        runner.run(slot);
        // A task that forked may return twice. Only the worker goes on; the child has no channel.
        if (!in_worker()) os::exit_now(0);
        if (const std::uint64_t most = state.channel->recycle_above; most != 0 && os::private_resident(0) > most)
          state.channel->used_up.store(1, std::memory_order_relaxed);
        reach(CrashPoint::before_commit);
        if (!commit(slot, ticket)) {
          give_up(slot, ticket);
          os::wait_for_the_end();
        }
        runner.committed();
        reach(CrashPoint::after_commit);
        ++ticket;
        const std::int64_t now = os::monotonic_ns();
        watch.lap(now, next_is_there(ticket));
        tell_host(ticket, has_other_core, now);
        zygote::call(detail::embedding().task_over);
        break;
      }
    }
  }
}

}  // namespace hotspare::worker
