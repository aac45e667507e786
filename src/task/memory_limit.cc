#include "child/ending.hpp"
#include "os/family.hpp"
#include "supervisor/engine.hpp"

#include <csignal>
#include <utility>

/// The second line of a task's memory limit. The first one, RLIMIT_DATA in the worker (worker/run_task.cc), is exact and
/// leaves last words, but sees neither shared memory nor children. Here MemoryWatch reads what worker and children have.
namespace hotspare::detail {

std::vector<task::MemoryWatch::Limited> Engine::limited_tasks(std::uint64_t& tightest) {
  std::vector<task::MemoryWatch::Limited> found;
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

/// Stopped at once with all its group, because taking its stack lasts some ms, in which it would grow; its children, of
/// which no stack is wanted, are killed meanwhile.
void Engine::over_limit(const task::MemoryWatch::Limited& task, const death::MemoryTaken& taken) {
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
      pump();
    });
  }
  os::kill_family_of(task.pid, task.zygote);
}

}  // namespace hotspare::detail
