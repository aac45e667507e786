#include "os/process.hpp"
#include "supervisor/engine.hpp"

namespace hotspare::detail {

using shm::SlotState;

bool Engine::cancel(const TaskRef& task, bool kill) {
  Lock lock(mutex_);
  if (task->settled()) return ending(*task) == Ending::cancelled;
  if (task->queued) {
    settle(queue_.remove(*task), Ending::cancelled);
    return true;
  }
  const auto found = workers_.find(task->worker);
  if (found == workers_.end()) return false;
  Worker& worker = *found->second;
  if (worker.victim.get() == task.get()) return false;  // its death is already being reported
  auto& word = worker.channel().slot(task->ticket).word;
  std::uint64_t expected = shm::pack({task->ticket, SlotState::queued});
  if (word.compare_exchange_strong(expected, shm::pack({task->ticket, SlotState::recalled}),
                                   std::memory_order_seq_cst)) {
    --counts_.in_workers;
    settle(std::move(worker.task(task->ticket)), Ending::cancelled);
    harvest(worker);  // the worker skips it without a word: nobody else would see that there is room again
    pump();
    note_for_leader();  // the oldest ticket is another one now
    return true;
  }
  if (!kill || expected != shm::pack({task->ticket, SlotState::running})) return false;
  // Whoever wins this exchange decides: its result counts, or the cancellation does.
  if (!word.compare_exchange_strong(expected, shm::pack({task->ticket, SlotState::condemned}),
                                    std::memory_order_seq_cst))
    return false;
  --counts_.in_workers;
  settle(std::move(worker.task(task->ticket)), Ending::cancelled);
  end_worker(worker, death::EndedBy::cancel);
  return true;
}

void Engine::on_done(const TaskRef& task, std::function<void()> callback) {
  {
    Lock lock(mutex_);
    if (!task->settled()) {
      task->extra().callbacks.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

void Engine::watch(const TaskRef& task, std::shared_ptr<CompletionSink> sink) {
  Lock lock(mutex_);
  if (task->settled()) {
    sink->settled(task);
    wake_waiters(sink.get());
  } else {
    task->extra().sink = std::move(sink);
  }
}

bool Engine::has_begun(const TaskRef& task) {
  const Lock lock(mutex_);
  if (task->settled() || task->queued) return false;
  const auto found = workers_.find(task->worker);
  if (found == workers_.end()) return false;
  const std::uint64_t word = found->second->channel().slot(task->ticket).word.load(std::memory_order_acquire);
  return word == shm::pack({task->ticket, SlotState::running});
}

bool has_begun(const TaskRef& task) { return task->engine->has_begun(task); }
bool cancel(const TaskRef& task, bool kill) { return task->engine->cancel(task, kill); }
void on_done(const TaskRef& task, std::function<void()> callback) { task->engine->on_done(task, std::move(callback)); }

}  // namespace hotspare::detail
