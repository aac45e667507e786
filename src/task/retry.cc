#include "task/retry.hpp"

#include "os/clock.hpp"
#include "supervisor/engine.hpp"
#include "worker/raised.hpp"

#include <hotspare/error.hpp>

#include <algorithm>
#include <utility>

/// Between two attempts of a task: who allows another one is asked, it pauses, and goes back to the queue.
///
/// What may happen meanwhile: it is cancelled (it settles at once; who was asked is not heard any more); the pool is shut
/// down (it gets its attempts, and the pool waits for that), with cancel, or breaks (its last failure is its outcome).
namespace hotspare {

unsigned Failure::attempt() const { return attempt_->attempt; }
std::uint64_t Failure::task_id() const { return attempt_->task_id; }
bool Failure::died() const { return attempt_->ending == detail::Ending::died; }
const std::shared_ptr<const CrashReport>& Failure::report() const { return attempt_->report; }
std::exception_ptr Failure::error() const {
  return died() ? detail::death_error(*attempt_->report) : detail::decode_exception(attempt_->payload.bytes());
}

}  // namespace hotspare

namespace hotspare::detail {
namespace {

bool wants_another(const Retries& policy, const FailedAttempt& attempt) {
  const Failure failure(attempt);
  try {
    if (policy.when && !policy.when(failure)) return false;
    if (policy.before_retry) policy.before_retry(failure);
    return true;
  } catch (...) {
    return false;  // as the header says
  }
}

task::Reason reason_of(const FailedAttempt& failed) {
  return failed.ending == Ending::died ? task::reason_of(failed.report->cause) : task::Reason::exception;
}

}  // namespace

const FailedAttempt& attempt_of(const Failure& failure) noexcept { return *failure.attempt_; }
std::span<const std::byte> thrown_bytes(const Failure& failure) noexcept { return attempt_of(failure).payload.bytes(); }

std::exception_ptr death_error(const CrashReport& report) {
  if (report.quarantined) return std::make_exception_ptr(Quarantined(report));
  if (report.cause == Cause::deadline) return std::make_exception_ptr(TaskTimeout(report));
  return std::make_exception_ptr(WorkerDied(report));
}

/// Whether there may be another attempt after one that fails for this reason now.
bool Engine::may_run_again(const Task& task, task::Reason reason) const {
  if (task.extra_ == nullptr || task.site.many || no_retries_ || !broken_.empty()) return false;
  const TaskExtra& extra = *task.extra_;
  if (extra.options.retries.attempts <= 1 || task.attempt == UINT16_MAX) return false;
  const unsigned for_memory = extra.memory_deaths + (reason == task::Reason::memory ? 1 : 0);
  return task::allows_another(extra.options.retries, reason, {task.attempt + 1U, for_memory});
}

/// task.attempt counts it already. Its arguments are still there.
void Engine::attempt_failed(TaskRef task, std::shared_ptr<FailedAttempt> failed) {
  TaskExtra& extra = task->extra();
  const task::Reason reason = reason_of(*failed);
  --task->attempt;  // as may_run_again counts
  const bool again = may_run_again(*task, reason) && (failed->report == nullptr || !failed->report->quarantined);
  ++task->attempt;
  extra.failed = std::move(failed);
  if (!again) return settle_failed(std::move(task));
  if (reason == task::Reason::memory) {
    ++extra.memory_deaths;
    extra.alone = true;
  }
  if (extra.failed->report != nullptr) extra.deaths.push_back(extra.failed->report);
  const Retries& policy = extra.options.retries;
  if (!policy.when && !policy.before_retry) return run_again(std::move(task));
  extra.between = Between::asking;
  try {
    callbacks_.run([task, attempt = extra.failed] {
      const bool wanted = wants_another(task->extra_->options.retries, *attempt);
      task->engine->decide(task, wanted);
    });
  } catch (const std::bad_alloc&) {
    extra.between = Between::none;  // nobody can be asked
    settle_failed(std::move(task));
  }
}

/// The answer of who was asked.
void Engine::decide(TaskRef task, bool again) {
  const Lock lock(mutex_);
  if (task->settled()) return;  // cancelled meanwhile
  take_step([&] {
    task->extra().between = Between::none;
    if (!again || no_retries_ || !broken_.empty()) return settle_failed(std::move(task));
    run_again(std::move(task));
  });
}

void Engine::run_again(TaskRef task) {
  if (!retry_budget_.take()) {
    ++counts_.retries_denied;
    return settle_failed(std::move(task));
  }
  ++counts_.retried;
  TaskExtra& extra = task->extra();
  const double random = std::generate_canonical<double, 32>(random_);
  extra.pause_ns = task::next_pause(extra.options.retries, extra.pause_ns, random);
  tell(Event::Kind::retry, [&](Event& event) {
    event.task_id = task->id;
    event.detail =
        "attempt " + std::to_string(task->attempt + 1) + " in " + std::to_string(extra.pause_ns / 1'000'000) + " ms";
    event.report = extra.failed->report;
  });
  if (extra.pause_ns == 0) return requeue(std::move(task));
  alarms_.set(os::monotonic_ns() + extra.pause_ns, std::move(task));
  extra.between = Between::pausing;
  arm_timer();
}

void Engine::requeue(TaskRef task) {
  task->extra().between = Between::none;
  task->extra().failed.reset();
  queue_.push_front(std::move(task));
  pump();
}

/// Its last failure is its outcome.
void Engine::settle_failed(TaskRef task) {
  TaskExtra& extra = task->extra();
  alarms_.forget(*task);
  const std::shared_ptr<FailedAttempt> failed = std::move(extra.failed);
  if (failed->ending == Ending::died) {
    extra.report = failed->report;
  } else {
    task->payload = failed->payload.take();
    extra.result_segments = std::move(failed->segments);
  }
  settle(std::move(task), failed->ending);
}

/// Those that wait for another attempt have failed for good.
void Engine::give_up_retries() {
  no_retries_ = true;
  task::Alarms::Taken pausing =
      alarms_.take_if([](const Task& each) { return each.extra_->between == Between::pausing; });
  for (auto& [when, task] : pausing) {
    task->extra().between = Between::none;
    settle_failed(std::move(task));
  }
}

/// True: it ended as Quarantined, for what others with its key have done.
bool Engine::quarantined(const TaskRef& task) {
  if (task->extra_ == nullptr || task->extra_->options.key.empty()) return false;
  const death::Quarantine::Deaths* deaths = quarantine_.deaths_of(task->extra_->options.key);
  if (deaths == nullptr || !quarantine_.holds(deaths->size())) return false;
  auto report = std::make_shared<CrashReport>(*deaths->back());
  report->earlier.assign(deaths->begin(), deaths->end() - 1);
  report->quarantined = true;
  task->extra().report = std::move(report);
  ++counts_.quarantined;
  if (task->in != nullptr) admission_.take(*task);
  settle(task, Ending::died);
  return true;
}

/// What the report says of deaths before this one, of the same task or of others with its key.
void Engine::note_history(Task& victim, CrashReport& report) {
  if (victim.extra_ == nullptr) return;
  const TaskExtra& extra = *victim.extra_;
  report.earlier = extra.deaths;
  const task::Reason reason = task::reason_of(report.cause);
  if (reason != task::Reason::death && reason != task::Reason::memory) return;
  if (!extra.options.key.empty()) {
    if (const death::Quarantine::Deaths* deaths = quarantine_.deaths_of(extra.options.key)) report.earlier = *deaths;
    quarantine_.killed(extra.options.key, std::make_shared<const CrashReport>(report));
  }
  if (extra.options.key.empty() && extra.options.retries.attempts <= 1) return;
  const auto killed = std::count_if(report.earlier.begin(), report.earlier.end(), [](const auto& death) {
    const task::Reason why = task::reason_of(death->cause);
    return why == task::Reason::death || why == task::Reason::memory;
  });
  report.quarantined = quarantine_.holds(static_cast<std::size_t>(killed) + 1);
  if (report.quarantined) ++counts_.quarantined;
}

}  // namespace hotspare::detail
