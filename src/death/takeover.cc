#include "os/clock.hpp"
#include "supervisor/engine.hpp"

#include <algorithm>
#include <utility>

/// What happens at once when a worker is known to die: its results stop counting, its unbegun tasks go back to the
/// front of the queue, a spare stands in, and only then is a new one asked for.
namespace hotspare::detail {

void Engine::condemn(Worker& worker) {
  worker.noticed_at = os::monotonic_ns();
  const bool was_active = worker.state == workers::State::active;
  harvest(worker);                                        // what it committed before it died counts
  if (worker.state == workers::State::condemned) return;  // harvesting found nonsense, and came here itself
  if (worker.was_ready && !worker.retiring && !finishing()) vacancies_.push_back(worker.noticed_at);
  step(worker, workers::Event::noticed);
  std::erase(active_, &worker);
  std::erase(leaving_, &worker);
  std::erase(spares_, &worker);
  fence(worker);
  if (worker.victim) admission_.dig_grave(*worker.victim);
  roster_changed(worker);
  if (!broken_.empty()) refuse_queued();  // nobody would come to run what was taken back
  if (was_active) take_over_from(worker);
  pump();
  refill_soon();
}

/// After this no store of the dying worker can have an effect: each of its tasks is harvested, taken back, or a victim.
void Engine::fence(Worker& worker) {
  ComingBack back(queue_);
  bool unfinished = false;  // it runs them one after another: behind one that did not finish there is no result
  for (task::Account& account = worker.account; !account.empty(); close_head(worker)) {
    const std::uint64_t ticket = account.head();
    unfinished = unfinished || account.at(ticket).standing == task::Standing::condemned;
    if (!account.at(ticket).task) continue;  // recalled, cancelled or expired before
    if (TaskRef task = take_back(worker, ticket)) {
      back.tasks.push_back(std::move(task));
      continue;
    }
    if (TaskRef running = condemn_attempt(worker, ticket)) {
      lose(worker, std::move(running));
      unfinished = true;
      continue;
    }
    const bool finished = !unfinished && account.look(ticket) == task::Claim::finished;
    unfinished = !finished;
    TaskRef task = let_go(worker, ticket);
    const char* nonsense = nullptr;
    if (finished && take_outcome(worker, task, nonsense)) continue;
    lose(worker, std::move(task));  // its word or its outcome is damaged: it may have run
  }
}

/// Those that may have run beside its victim. They end as that one does, but nobody is blamed for them.
void Engine::settle_other_victims(Worker& worker, const CrashReport& of_worker) {
  for (TaskRef& task : std::exchange(worker.other_victims, {})) {
    admission_.leave(*task, task::Gate::End::failed);
    auto report = std::make_shared<CrashReport>(of_worker);
    describe(*task, *report);
    report->earlier.clear();
    report->quarantined = false;
    auto failed = std::make_shared<FailedAttempt>();
    failed->report = std::move(report);
    failed->task_id = task->id;
    failed->attempt = task->attempt;
    attempt_failed(std::move(task), std::move(failed));
  }
}

void Engine::take_over_from(Worker& worker) {
  if (finishing() || killed_ || spares_.empty()) return;
  if (worker.evidence.ended_by == death::EndedBy::shutdown) return promote();  // replaced: that is no death
  worker.successor = spares_.front()->pid;  // told with the death: now every µs is the spare's
  ++counts_.takeovers;
  promote();
}

}  // namespace hotspare::detail
