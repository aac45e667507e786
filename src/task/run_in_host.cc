#include "os/clock.hpp"
#include "os/socket.hpp"
#include "supervisor/engine.hpp"
#include "task/host_context.hpp"

#include <hotspare/error.hpp>

#include <utility>

/// When tasks run in this process itself, and which: while no other process can be had and the pool's owner wants that
/// (PoolOptions::run_in_host). One that is known to have cost a worker its life is not run here. How they run:
/// task/host_runner.hpp.
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
  host_runner_.call();
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

bool Engine::may_run_here() {
  bool may = false;
  take_step([&] { may = runs_in_host() && next_may_begin(); });
  return may;
}

void Engine::prepare_here() {
  if (options_.host_initializer) return options_.host_initializer();
  if (options_.preload != nullptr) options_.preload();
  if (options_.initializer != nullptr) options_.initializer();
}

void Engine::cannot_run_here(const std::string& why) {
  take_step([&] { break_pool("pool \"" + options_.name + "\": the initializer failed in the host: " + why); });
}

TaskRef Engine::begin_here() {
  TaskRef begun;
  take_step([&] {
    TaskRef task = queue_.pop_front();
    if (room_waiters_ != 0) room_.notify_all();
    admission_.enter(*task);
    admission_.note_begin(*task, os::monotonic_ns());
    ++counts_.run_in_host;
    begun = std::move(task);
  });
  return begun;
}

void Engine::ended_here(TaskRef task, HostContext* context) {
  take_step([&] {
    if (context != nullptr) {
      take_host_outcome(std::move(task), *context);
    } else {
      admission_.leave(*task, task::Gate::End::failed);
      no_memory_for(std::move(task));
    }
    ask_for_process();
    pump();
  });
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
