#include "os/clock.hpp"
#include "os/socket.hpp"
#include "os/thread.hpp"
#include "supervisor/engine.hpp"
#include "task/host_context.hpp"
#include "worker/this_task.hpp"

#include <hotspare/error.hpp>

#include <system_error>
#include <utility>

/// Tasks in this process itself, one at a time, while no other process can be had and the pool's owner wants that
/// (PoolOptions::run_in_host).
///
/// What may go wrong: a task throws (its outcome, as ever); never returns (it cannot be ended: a shutdown waits for it);
/// submits to its own pool or waits for it (refused, it would wait for itself); shuts it down (that begins, and does not
/// wait); forks and returns in the child (which ends); crashes (so does the host: that is the price). One that is known to
/// have cost a worker its life is not run here.
namespace hotspare::detail {

/// No worker can be had any more, or if one can, nobody knows when.
void Engine::no_process(const std::string& why) {
  if (!options_.run_in_host) return break_pool(why);
  if (!broken_.empty() || !no_process_.empty()) return;
  no_process_ = why;
  const std::string text = why +
                           "; from now on tasks run in the host, one at a time: a crash is the host's, no limit of "
                           "time or memory can be kept, and none can be killed";
  if (!options_.on_event) os::say_on_stderr("hotspare: %s", text.c_str());
  tell(Event::Kind::host_run, [&](Event& event) { event.detail = text; });
  started_.notify_all();
  host_call_.notify_one();
}

/// A worker is ready. As long as there is no zygote it is one of the last, and the host has to be ready, too.
void Engine::process_again() {
  if (no_process_.empty() || !nursery_->exists()) return;
  no_process_.clear();
  tell(Event::Kind::host_run_ends, [](Event& event) { event.detail = "processes can be started again"; });
  refill();
}

/// The first of the queue. True: it must not run here, and has ended.
bool Engine::turned_away(const Task& task) {
  const TaskExtra* const extra = task.extra_.get();
  if (extra != nullptr && !extra->deaths.empty()) {
    const TaskRef dead = queue_.pop_front();
    dead->extra().report = dead->extra().deaths.back();
    settle(dead, Ending::died);
    return true;
  }
  const char* why = nullptr;
  if (task.limits().any()) why = "its time limit cannot be kept";
  if (task.memory_limit() != 0) why = "its memory limit cannot be kept";
  if (extra != nullptr && extra->alone) why = "it was ended before for the memory that it took";
  if (extra != nullptr && !extra->options.key.empty() && quarantine_.deaths_of(extra->options.key) != nullptr)
    why = "its key has killed a worker";
  if (why == nullptr) return false;
  refuse(queue_.pop_front(), [&, id = task.id] {
    return NeedsProcess("task " + std::to_string(id) + " needs a process of its own, for in the host " + why + "; " +
                        no_process_);
  });
  return true;
}

/// Signals are not blocked in it: what tasks start inherits that.
void Engine::start_host_thread() {
  host_thread_ = os::or_throw(os::start_thread([this] { run_host_thread(); }), "a pool cannot be made");
  host_thread_id_ = host_thread_.get_id();
}

void Engine::run_host_thread() {
  Lock lock(mutex_);
  while (!host_ends_) {
    bool may_run = false;
    take_step([&] { may_run = runs_in_host() && next_may_begin(); });
    if (!may_run) {
      host_call_.wait(lock);
    } else if (!host_prepared_) {
      take_step([&] { prepare_host(lock); });
    } else {
      take_step([&] { run_first_in_host(lock); });
    }
  }
}

void Engine::end_host_thread() {
  {
    const Lock lock(mutex_);
    host_ends_ = true;
    host_call_.notify_one();
  }
  if (host_thread_.joinable()) host_thread_.join();
}

/// What each worker does before its first task, tasks may rely on.
void Engine::prepare_host(Lock& lock) {
  std::string failure;
  {
    const Unlocked meanwhile(lock);
    try {
      if (options_.host_initializer) {
        options_.host_initializer();
      } else {
        if (options_.preload != nullptr) options_.preload();
        if (options_.initializer != nullptr) options_.initializer();
      }
    } catch (const std::exception& error) {
      failure = error.what();
    } catch (...) {
      failure = "it threw something that is no std::exception";
    }
  }
  host_prepared_ = true;
  if (!failure.empty()) break_pool("pool \"" + options_.name + "\": the initializer failed in the host: " + failure);
}

/// From here on the task is nowhere but in host_task_.
void Engine::run_first_in_host(Lock& lock) {
  const TaskRef task = queue_.pop_front();
  if (room_waiters_ != 0) room_.notify_all();
  enter_gates(*task);
  note_begin(*task, os::monotonic_ns());
  HostContext context(*task);
  const unsigned attempt = task->attempt + 1U;
  host_task_ = task;
  ++counts_.run_in_host;
  bool told = false;
  {
    const Unlocked meanwhile(lock);
    const worker::HostTask here(host_progress_, task->id, attempt);
    try {
      context.run();
      told = true;
    } catch (const std::bad_alloc&) {  // for its outcome
    }
  }
  host_task_ = TaskRef();
  if (told) {
    take_host_outcome(task, context);
  } else {
    leave_gates(*task, task::Gate::End::failed);
    no_memory_for(task);
  }
  ask_for_process();
  pump_and_look();
}

void Engine::take_host_outcome(TaskRef task, HostContext& context) {
  const bool keep = context.raised() && may_run_again(*task, task::Reason::exception);
  Payload arguments = task->payload.take();
  task->payload = context.take_result();
  std::vector<SegmentRef> segments = context.take_segments();
  if (!segments.empty()) task->extra().result_segments = std::move(segments);
  if (keep) keep_failure(*task, std::exchange(task->payload, std::move(arguments)));
  finish(std::move(task), context.raised() ? shm::Ended::raised : shm::Ended::value);
}

/// Asked after each task, not by the clock: an idle pool asks for nothing.
void Engine::ask_for_process() {
  if (no_process_.empty() || finishing() || !broken_.empty()) return;
  if (nursery_->exists()) {
    refill();
  } else {
    static_cast<void>(nursery_->new_zygote());
  }
}

}  // namespace hotspare::detail
