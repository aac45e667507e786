#include "os/process.hpp"
#include "supervisor/engine.hpp"

namespace hotspare::detail {

using shm::SlotState;

/// Out of the queue, or of where else it waits to be let into it.
TaskRef Engine::take_from_queue(Task& task) {
  if (queue_.holds(task)) return queue_.remove(task);
  --parked_;
  return task.in->remove(task);
}

/// Takes a task that has not begun back from its worker; null: it has begun, or no worker has it.
TaskRef Engine::recall(Task& task) {
  const auto found = workers_.find(task.worker);
  if (found == workers_.end()) return {};
  Worker& worker = *found->second;
  if (worker.task(task.ticket).get() != &task) return {};
  std::uint64_t expected = shm::pack({task.ticket, SlotState::queued});
  if (!worker.channel()
           .slot(task.ticket)
           .word.compare_exchange_strong(expected, shm::pack({task.ticket, SlotState::recalled}),
                                         std::memory_order_seq_cst))
    return {};
  --counts_.in_workers;
  leave_gates(task, task::Gate::End::not_begun);
  TaskRef taken = std::move(worker.task(task.ticket));
  harvest(worker);  // the worker skips it without a word: nobody else would see that there is room again
  pump();
  note_for_leader();  // the oldest ticket is another one now
  return taken;
}

bool Engine::cancel(const TaskRef& task, bool kill) {
  if (task->settled()) return ending(*task) == Ending::cancelled;
  must_be_in_host();
  Lock lock(mutex_);
  if (task->settled()) return ending(*task) == Ending::cancelled;
  if (task->in != nullptr) {
    settle(take_from_queue(*task), Ending::cancelled);
    return true;
  }
  if (task->extra_ != nullptr && task->extra_->between != Between::none) {
    settle(task, Ending::cancelled);
    return true;
  }
  if (TaskRef taken = recall(*task)) {
    settle(std::move(taken), Ending::cancelled);
    return true;
  }
  const auto found = workers_.find(task->worker);
  if (found == workers_.end()) return false;
  Worker& worker = *found->second;
  if (worker.victim.get() == task.get()) return false;  // its death is already being reported
  auto& word = worker.channel().slot(task->ticket).word;
  std::uint64_t expected = shm::pack({task->ticket, SlotState::running});
  if (!kill) return false;
  // Whoever wins this exchange decides: its result counts, or the cancellation does.
  if (!word.compare_exchange_strong(expected, shm::pack({task->ticket, SlotState::condemned}),
                                    std::memory_order_seq_cst))
    return false;
  --counts_.in_workers;
  leave_gates(*task, task::Gate::End::failed);
  settle(std::move(worker.task(task->ticket)), Ending::cancelled);
  end_worker(worker, death::EndedBy::cancel);
  return true;
}

void Engine::on_done(const TaskRef& task, std::function<void()> callback) {
  if (!task->settled()) {
    must_be_in_host();
    Lock lock(mutex_);
    if (!task->settled()) {
      task->extra().callbacks.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

void Engine::watch(const TaskRef& task, std::shared_ptr<CompletionSink> sink) {
  must_be_in_host();
  Lock lock(mutex_);
  if (task->settled()) {
    sink->settled(task);
    wake_waiters(sink.get());
  } else {
    task->extra().sink = std::move(sink);
  }
}

bool Engine::has_begun(const TaskRef& task) {
  if (task->settled()) return false;
  must_be_in_host();
  const Lock lock(mutex_);
  if (task->settled() || task->in != nullptr) return false;
  if (host_task_.get() == task.get()) return true;
  const auto found = workers_.find(task->worker);
  if (found == workers_.end()) return false;
  const std::uint64_t word = found->second->channel().slot(task->ticket).word.load(std::memory_order_acquire);
  return word == shm::pack({task->ticket, SlotState::running});
}

std::optional<Progress> Engine::progress_of(const TaskRef& task) {
  if (task->settled()) return std::nullopt;
  must_be_in_host();
  const Lock lock(mutex_);
  if (task->settled() || task->in != nullptr) return std::nullopt;
  std::optional<shm::Told> told;
  if (host_task_.get() == task.get()) {
    told = host_progress_.told_by(task->id);
  } else {
    const auto found = workers_.find(task->worker);
    if (found == workers_.end() || found->second->task(task->ticket).get() != task.get()) return std::nullopt;
    told = found->second->channel().progress.told_by(task->ticket);
  }
  if (!told) return std::nullopt;
  return Progress{told->done, told->total, told->note.data()};
}

std::optional<Progress> progress_of(const TaskRef& task) { return task->engine->progress_of(task); }
bool has_begun(const TaskRef& task) { return task->engine->has_begun(task); }
bool cancel(const TaskRef& task, bool kill) { return task->engine->cancel(task, kill); }
void on_done(const TaskRef& task, std::function<void()> callback) { task->engine->on_done(task, std::move(callback)); }

}  // namespace hotspare::detail
