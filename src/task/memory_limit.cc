#include "death/memory_limit.hpp"

#include "child/ending.hpp"
#include "os/clock.hpp"
#include "os/family.hpp"
#include "os/process.hpp"
#include "os/signals.hpp"
#include "supervisor/engine.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <map>
#include <utility>

/// The second line of a task's memory limit. The first one, RLIMIT_DATA in the worker (worker/run_task.cc), is exact and
/// leaves last words, but sees neither shared memory nor children. Here a thread of its own reads what worker and children
/// have in memory: the counters often, all their pages only where those do not tell.
namespace hotspare::detail {

/// A limited task was handed over. Under the mutex.
void Engine::call_memory_watch() {
  if (memory_watched_ || memory_watch_ends_) return;
  memory_watched_ = true;
  memory_call_.notify_one();
}

void Engine::end_memory_watch() {
  {
    const Lock lock(mutex_);
    memory_watch_ends_ = true;
    memory_call_.notify_one();
  }
  if (memory_watch_.joinable()) memory_watch_.join();
}

void Engine::watch_memory() {
  std::map<WorkerId, death::LimitWatch> watches;
  Lock lock(mutex_);
  while (!memory_watch_ends_) try {
      std::uint64_t tightest = 0;
      const std::vector<LimitedTask> tasks = limited_tasks(tightest);
      if (tightest == 0) {
        watches.clear();
        memory_watched_ = false;
        memory_call_.wait(lock, [this] { return memory_watched_ || memory_watch_ends_; });
        continue;
      }
      lock.unlock();
      // One that has not begun may do so at any moment.
      std::int64_t pause = death::next_look_ns(tightest, 0, 0, 1);
      for (const LimitedTask& task : tasks) pause = std::min(pause, look_at_memory_of(task, watches[task.worker]));
      lock.lock();
      memory_call_.wait_for(lock, std::chrono::nanoseconds(pause), [this] { return memory_watch_ends_; });
    } catch (const std::exception&) {  // no memory: looks again
      constexpr std::chrono::milliseconds soon(10);
      if (!lock.owns_lock()) lock.lock();
      memory_call_.wait_for(lock, soon, [this] { return memory_watch_ends_; });
    }
}

/// Those that run, and have told what their worker had before. tightest: the least limit of these and of those that are
/// still to begin; 0: there are none.
std::vector<Engine::LimitedTask> Engine::limited_tasks(std::uint64_t& tightest) {
  std::vector<LimitedTask> found;
  tightest = 0;
  for (const auto& [id, worker] : workers_) {
    if (worker->state == workers::State::condemned) continue;
    task::Account& account = worker->account;
    for (std::uint64_t ticket = account.head(); ticket != account.tail(); ++ticket) {
      const TaskRef& task = account.at(ticket).task;
      const std::uint64_t limit = task ? task->memory_limit() : 0;
      if (limit == 0) continue;
      if (tightest == 0 || limit < tightest) tightest = limit;
      if (account.look(ticket) != task::Claim::runs) continue;
      const shm::MemoryBefore& before = worker->channel().memory_before;
      // SYNC POINT memory-before: released by the worker's MemoryLimit.
      if (before.ticket.load(std::memory_order_acquire) != ticket) continue;
      found.push_back(
          {id,
           worker->pid,
           worker->parent,
           ticket,
           limit,
           {before.anonymous.load(std::memory_order_relaxed), before.file_and_shared.load(std::memory_order_relaxed)}});
    }
  }
  return found;
}

/// Returns the time until the next look, ns. Without the mutex: the worker may be gone, and then has no memory.
std::int64_t Engine::look_at_memory_of(const LimitedTask& task, death::LimitWatch& watch) {
  if (watch.ticket != task.ticket) watch = {.ticket = task.ticket};
  const std::int64_t now = os::monotonic_ns();
  const std::vector<pid_t> family = os::family_of(task.pid, task.zygote);
  const os::Resident worker = os::resident(task.pid);
  std::vector<os::Resident> children;
  for (const pid_t pid : family) children.push_back(os::resident(pid));
  const std::uint64_t at_most = death::taken_at_most(task.before, worker, children);
  if (watch.needs_walk(task.limit, at_most, now)) {
    const std::set<std::uint64_t> elsewhere = os::nameless_memory(task.zygote);
    std::vector<os::Mapped> mapped;
    for (const pid_t pid : family) mapped.push_back(os::mapped(pid, elsewhere));
    const death::MemoryTaken taken = death::taken(task.before, worker, os::mapped(task.pid, elsewhere), mapped);
    if (taken.total() > task.limit) end_over_limit(task, taken);
    watch.walked(at_most, taken.total(), now, os::monotonic_ns());
  }
  const double pace = watch.looked(at_most, now);
  return death::next_look_ns(task.limit, watch.estimate(at_most), pace, static_cast<unsigned>(1 + family.size()));
}

/// Stopped at once with all its group, because taking its stack lasts some ms, in which it would grow; its children, of
/// which no stack is wanted, are killed meanwhile.
void Engine::end_over_limit(const LimitedTask& task, const death::MemoryTaken& taken) {
  {
    const Lock lock(mutex_);
    const auto found = workers_.find(task.worker);
    if (found == workers_.end() || found->second->state == workers::State::condemned) return;
    Worker& worker = *found->second;
    if (task.ticket < worker.account.head()) return;
    TaskRef over = condemn_attempt(worker, task.ticket);
    if (!over) return;  // it has just finished
    child::signal_group(worker, *nursery_, SIGSTOP);
    lose(worker, std::move(over));
    worker.look_at = 0;
    worker.evidence.memory_taken = taken;
    worker.evidence.memory_limit = task.limit;
    take_step([&] {
      end_worker(worker, death::EndedBy::memory);
      pump_and_look();
    });
  }
  os::kill_family_of(task.pid, task.zygote);
}

}  // namespace hotspare::detail
