#include "os/clock.hpp"
#include "supervisor/engine.hpp"

/// Deadlines of running tasks, kept by the host: they hold whatever the worker does.
namespace hotspare::detail {

using shm::SlotState;

void Engine::watch_deadline(Task& task) {
  if (task.extra().look_at_ns != 0) deadlines_.forget(task);
  deadlines_.look_at(os::monotonic_ns() + task.timeout_ns(), share(task));
  arm_timer();
}

void Engine::arm_timer() {
  arm_due_ = arms_later_;
  if (arms_later_) return;
  std::int64_t first = deadlines_.first();
  const auto consider = [&first](std::int64_t other) {
    if (other != 0 && (first == 0 || other < first)) first = other;
  };
  consider(leave_deadline_);
  consider(refill_at_);
  for (const auto& [id, worker] : workers_) consider(worker->gone_by);
  if (first == timer_at_) return;
  timer_at_ = first;
  timer_->arm(first);
}

void Engine::check_deadlines() {
  const std::int64_t now = os::monotonic_ns();
  end_survivors(now);
  if (refill_at_ != 0 && now >= refill_at_) {
    refill_at_ = 0;
    refill();
  }
  while (TaskRef task = deadlines_.take_due(now)) {
    const auto found = workers_.find(task->worker);
    if (task->settled() || found == workers_.end() || found->second->victim.get() == task.get()) continue;
    Worker& worker = *found->second;
    shm::TaskSlot& slot = worker.channel().slot(task->ticket);
    const std::int64_t begun = slot.begun_at.load(std::memory_order_acquire);
    const task::Look look = task::next_look(now, begun, task->timeout_ns());
    std::uint64_t expected = shm::pack({task->ticket, SlotState::running});
    if (!look.expired) {
      deadlines_.look_at(look.again_at, std::move(task));
    } else if (slot.word.compare_exchange_strong(expected, shm::pack({task->ticket, SlotState::condemned}),
                                                 std::memory_order_seq_cst)) {
      worker.victim = std::move(worker.task(task->ticket));
      --counts_.in_workers;
      end_worker(worker, death::EndedBy::deadline);
    }
  }
  timer_at_ = 0;
  arm_timer();
}

}  // namespace hotspare::detail
