#include "supervisor/engine.hpp"

#include <utility>
#include <vector>

/// Memory of all workers together: looked at as long as one runs a task, the oftener the less is left. Who is ended to
/// make room is run again, alone, and loses no attempt; but not where that is the last resort.
namespace hotspare::detail {

std::optional<std::vector<task::MemoryWatch::Weight>> Engine::to_be_weighed() {
  std::vector<task::MemoryWatch::Weight> weights;
  bool runs = !queue_.empty();
  for (const auto& [id, worker] : workers_) {
    if (worker->pid == 0 || worker->state == workers::State::condemned) continue;
    runs = runs || worker->outstanding() != 0;
    weights.push_back({id, worker->pid});
  }
  if (runs) return weights;
  admission_.hold(false);
  return std::nullopt;  // the next task that begins has us look again, and hold the others
}

/// Some of them may be gone since then, or have nothing to do now.
std::int64_t Engine::weighed(const std::vector<task::MemoryWatch::Weight>& weights, std::uint64_t available) {
  constexpr std::int64_t after_failure_ns = 50'000'000;
  std::int64_t again = after_failure_ns;
  take_step([&] {
    again = judge_memory(weights, available);
    pump();
  });
  return again;
}

std::int64_t Engine::judge_memory(const std::vector<task::MemoryWatch::Weight>& weights, std::uint64_t available) {
  std::vector<Worker*> running;
  std::vector<death::MemoryUser> users;
  std::vector<std::pair<Worker*, std::uint64_t>> idle_ones;
  std::uint64_t idle = 0;
  std::uint64_t used = 0;
  for (const auto& [id, pid, bytes] : weights) {
    const auto found = workers_.find(id);
    if (found == workers_.end() || found->second->state == workers::State::condemned) continue;
    Worker* const worker = found->second.get();
    used += bytes;
    if (worker->outstanding() == 0) {
      idle += bytes;
      idle_ones.emplace_back(worker, bytes);
    } else {
      running.push_back(worker);
      users.push_back({bytes, worker->progressed_at});
    }
  }
  const death::MemoryVerdict verdict = death::judge_memory(memory_rule_, users, idle, available);
  admission_.hold(verdict.hold);
  if (verdict.end) make_room(*running[*verdict.end]);
  if (verdict.hold) {
    for (const auto& [worker, bytes] : idle_ones)
      if (death::is_idle_hog(bytes, used)) retire(*worker);
    for (Worker* worker : active_) recall_all(*worker);
  }
  return verdict.look_again_ns;
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
