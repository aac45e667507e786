#include "os/process.hpp"
#include "supervisor/engine.hpp"

namespace hotspare::detail {

/// Takes a task that has not begun back from its worker; null: it has begun, or no worker has it.
TaskRef Engine::recall(Task& task) {
  const auto found = workers_.find(task.worker);
  if (found == workers_.end()) return {};
  Worker& worker = *found->second;
  TaskRef taken = take_back(worker, task.ticket);
  if (!taken) return {};
  harvest(worker);  // the worker skips it without a word: nobody else would see that there is room again
  pump();
  note_for_leader();  // the oldest ticket is another one now
  return taken;
}

bool Engine::cancel(const TaskRef& task, bool kill) {
  if (task->settled()) return ending(*task) == Ending::cancelled;
  must_be_in_host();
  const Lock lock(mutex_);
  if (task->settled()) return ending(*task) == Ending::cancelled;
  bool cancelled = false;
  take_step([&] { cancelled = cancel_unsettled(task, kill); });
  return cancelled;
}

bool Engine::cancel_unsettled(const TaskRef& task, bool kill) {
  if (task->in != nullptr) {
    settle(admission_.take(*task), Ending::cancelled);
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
  if (!kill) return false;
  // Whoever wins this exchange decides: its result counts, or the cancellation does.
  TaskRef condemned = condemn_attempt(worker, task->ticket);
  if (!condemned) {
    look_at(worker, task->ticket);
    return false;
  }
  admission_.leave(*condemned, task::Gate::End::failed);
  settle(std::move(condemned), Ending::cancelled);
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
  if (host_runner_.runs(*task)) return true;
  const auto found = workers_.find(task->worker);
  if (found == workers_.end()) return false;
  return found->second->account.look(task->ticket) == task::Claim::runs;
}

std::optional<Progress> Engine::progress_of(const TaskRef& task) {
  if (task->settled()) return std::nullopt;
  must_be_in_host();
  const Lock lock(mutex_);
  if (task->settled() || task->in != nullptr) return std::nullopt;
  std::optional<shm::Told> told;
  if (host_runner_.runs(*task)) {
    told = host_runner_.progress_of(*task);
  } else {
    const auto found = workers_.find(task->worker);
    if (found == workers_.end() || !found->second->account.holds(*task)) return std::nullopt;
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
