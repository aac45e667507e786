#include "os/clock.hpp"
#include "supervisor/engine.hpp"

#include <algorithm>
#include <vector>

/// What happens at once when a worker is known to die: its results stop counting, its unbegun tasks go back to the
/// front of the queue, a spare stands in, and only then is a new one asked for.
namespace hotspare::detail {

using shm::SlotState;

void Engine::condemn(Worker& worker) {
  worker.noticed_at = os::monotonic_ns();
  const bool was_active = worker.state == workers::State::active;
  harvest(worker);                                        // what it committed before it died counts
  if (worker.state == workers::State::condemned) return;  // harvesting found nonsense, and came here itself
  if (worker.was_ready && !worker.retiring && !finishing()) vacancies_.push_back(worker.noticed_at);
  worker.step(workers::Event::noticed);
  fence(worker);
  if (worker.victim) dig_grave(*worker.victim);
  std::erase(active_, &worker);
  std::erase(leaving_, &worker);
  std::erase(spares_, &worker);
  roster_changed(worker);
  if (!broken_.empty()) refuse_queued();  // nobody would come to run what was taken back
  if (was_active) take_over_from(worker);
  pump();
  refill_soon();
}

/// After this no store of the dying worker can have an effect: each of its tasks is harvested, taken back, or its victim.
void Engine::fence(Worker& worker) {
  std::vector<TaskRef> back;
  for (; worker.head != worker.tail; free_slot(worker)) {
    TaskRef task = std::move(worker.task(worker.head));
    if (!task) continue;  // recalled, cancelled or expired before
    shm::TaskSlot& slot = worker.channel().slot(worker.head);
    --counts_.in_workers;
    std::uint64_t word = shm::pack({worker.head, SlotState::queued});
    if (slot.word.compare_exchange_strong(word, shm::pack({worker.head, SlotState::recalled}),
                                          std::memory_order_seq_cst)) {
      task->worker = 0;
      leave_gates(*task, task::Gate::End::not_begun);
      ++counts_.recalled;
      back.push_back(std::move(task));
      continue;
    }
    if (word == shm::pack({worker.head, SlotState::running}) &&
        slot.word.compare_exchange_strong(word, shm::pack({worker.head, SlotState::condemned}),
                                          std::memory_order_seq_cst)) {
      worker.victim = std::move(task);
      continue;
    }
    std::string nonsense;
    if (word == shm::pack({worker.head, SlotState::done}) && take_outcome(worker, slot, *task, nonsense)) {
      finish(std::move(task), slot.ended);
    } else if (!worker.victim) {
      worker.victim = std::move(task);  // its word is damaged: it may have run
    } else {
      // A second damaged word: it can't be told any more whether it ran, so it must not run again.
      leave_gates(*task, task::Gate::End::failed);
      refuse(std::move(task), std::make_exception_ptr(PayloadError("the worker damaged its channel before it died")));
    }
  }
  for (auto task = back.rbegin(); task != back.rend(); ++task) queue_.push_front(std::move(*task));
}

void Engine::take_over_from(Worker& worker) {
  if (finishing() || spares_.empty()) return;
  worker.successor = spares_.front()->pid;  // told with the death: now every µs is the spare's
  ++counts_.takeovers;
  promote();
}

}  // namespace hotspare::detail
