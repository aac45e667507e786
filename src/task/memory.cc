#include "os/clock.hpp"
#include "os/memory_use.hpp"
#include "supervisor/engine.hpp"

#include <utility>
#include <vector>

/// Memory of all workers together: looked at as long as one runs a task, the oftener the less is left. Who is ended to
/// make room is run again, alone, and loses no attempt; but not where that is the last resort.
namespace hotspare::detail {

/// A task is about to run: from now on somebody looks.
void Engine::guard_memory() {
  if (!memory_rule_.any() || guard_at_ != 0) return;
  guard_at_ = os::monotonic_ns() + 1;
  arm_timer();
}

void Engine::look_at_memory(std::int64_t now) {
  constexpr std::int64_t after_failure_ns = 50'000'000;
  guard_at_ = now + after_failure_ns;
  std::vector<Worker*> running;
  std::vector<death::MemoryUser> users;
  std::vector<std::pair<Worker*, std::uint64_t>> idle_ones;
  std::uint64_t idle = 0;
  for (const auto& [id, worker] : workers_) {
    if (worker->pid == 0 || worker->state == workers::State::condemned) continue;
    const std::uint64_t bytes = os::private_resident(worker->pid);
    if (worker->outstanding() == 0) {
      idle += bytes;
      idle_ones.emplace_back(worker.get(), bytes);
      continue;
    }
    running.push_back(worker.get());
    users.push_back({bytes, worker->progressed_at});
  }
  const std::uint64_t available = memory_rule_.reserve != 0 ? os::available_memory() : 0;
  const death::MemoryVerdict verdict = death::judge_memory(memory_rule_, users, idle, available);
  if (running.empty() && queue_.empty()) {
    hold_ = false;
    guard_at_ = 0;
    return;  // the next task that begins has us look again, and hold the others
  }
  hold_ = verdict.hold;
  if (verdict.end) make_room(*running[*verdict.end]);
  if (hold_) {
    std::uint64_t used = idle;
    for (const death::MemoryUser& user : users) used += user.bytes;
    for (const auto& [worker, bytes] : idle_ones)
      if (death::is_idle_hog(bytes, used)) retire(*worker);
    for (Worker* worker : active_) recall_all(*worker);
  }
  guard_at_ = now + verdict.look_again_ns;
}

/// Ends what this worker runs, if it has not just finished.
void Engine::make_room(Worker& worker) {
  TaskRef running = condemn_attempt(worker, worker.account.head());
  if (!running) return;
  lose(worker, std::move(running));
  end_worker(worker, memory_rule_.last_resort ? death::EndedBy::last_resort : death::EndedBy::pressure);
}

/// True: it was ended to make room for others, and is in the queue again. One that was alone already has no other chance. Of
/// one with many results what it had finished counts, so it ends, and who reads them submits the one that it was running
/// again (submit_alone).
bool Engine::put_back_after_pressure(Worker& worker) {
  if (worker.evidence.ended_by != death::EndedBy::pressure || no_retries_ || !broken_.empty()) return false;
  TaskExtra& extra = worker.victim->extra();
  if (extra.alone) return false;
  if (worker.victim->site.many) {
    extra.made_room = true;
    return false;
  }
  extra.alone = true;
  --worker.victim->attempt;
  ++counts_.put_back;
  queue_.push_front(std::move(worker.victim));
  return true;
}

}  // namespace hotspare::detail
