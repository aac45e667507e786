#include "os/futex.hpp"
#include "supervisor/engine.hpp"

/// The end of a task's life. Called under the mutex, once for each task.
namespace hotspare::detail {

void Engine::settle(TaskRef task, Ending ending) {
  HS_CHECK(!task->settled() && task->in == nullptr);
  switch (ending) {
    case Ending::value:
      ++counts_.values;
      retry_budget_.a_value();
      break;
    case Ending::raised: ++counts_.raised; break;
    case Ending::died: ++counts_.died; break;
    case Ending::cancelled: ++counts_.cancelled; break;
    case Ending::refused: ++counts_.refused; break;
    case Ending::pending: HS_CHECK(false);
  }
  const bool salvaged = task->extra_ != nullptr && task->extra_->salvaged;
  if (ending != Ending::value && ending != Ending::raised && !salvaged) task->payload.clear();
  queue_.forget(*task);
  unsettled_.forget(*task);
  std::shared_ptr<CompletionSink> sink;
  supervisor::Callbacks callbacks;
  if (task->extra_ != nullptr) {
    alarms_.forget(*task);
    task->extra_->between = Between::none;
    task->extra_->failed.reset();
    task->extra_->argument_buffers.clear();
    task->extra_->held.clear();
    task->extra_->buffers_charge.reset();
    sink = std::move(task->extra_->sink);
    callbacks = std::move(task->extra_->callbacks);
  }
  if (room_waiters_ != 0) room_.notify_all();
  task->ending.store(static_cast<std::uint32_t>(ending), std::memory_order_release);
  if (!waiters_.empty()) wake_waiters(task.get());
  callbacks_.run(callbacks);
  if (sink != nullptr) {
    sink->settled(std::move(task));
    wake_waiters(sink.get());
  }
  if (closing_ && unsettled_.empty()) nudge_supervisor();
}

/// The host had no memory for what it needed of this one. Needs none itself.
void Engine::no_memory_for(TaskRef task) { settle(std::move(task), Ending::refused); }

void Engine::wake_waiters(const void* key) {
  for (Waiter* waiter : waiters_) {
    if (waiter->key != key) continue;
    if (waiter == leader_) {
      call_leader();
    } else {
      waiter->called.store(1, std::memory_order_release);
      os::futex_wake(waiter->called, 1, os::FutexScope::process);
    }
  }
}

/// What the leader looks at without the mutex has changed. If it sleeps it need not be woken for that: then its wish
/// stands, and the next commit rings for it.
void Engine::note_for_leader() {
  // SYNC POINT leader-called: it looks at this after it has stored its wish, workers at the wish after they committed.
  if (leader_ != nullptr) leader_->called.store(1, std::memory_order_seq_cst);
}

/// Makes the leader look now: its own task has settled.
void Engine::call_leader() {
  note_for_leader();
  wake_leader();
}

/// The leader sleeps on the workers' bell.
void Engine::wake_leader() {
  if (wishes_->caller.load(std::memory_order_seq_cst) == 0) return;
  bells_->caller.fetch_add(1, std::memory_order_seq_cst);
  os::futex_wake(bells_->caller, 1, os::FutexScope::shared);
}

}  // namespace hotspare::detail
