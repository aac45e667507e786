#include "child/burial.hpp"
#include "child/ending.hpp"
#include "death/stack_image.hpp"
#include "death/stacks_of_hung.hpp"
#include "os/clock.hpp"
#include "supervisor/engine.hpp"
#include "zygote/embedding.hpp"

#include <hotspare/error.hpp>

#include <csignal>

/// The end of a death: the process is gone, its exit status is fetched, the verdict is given, and the one task it was
/// running learns the truth.
namespace hotspare::detail {

void Engine::bury(Worker& worker, const os::ExitStatus& told) {
  const os::ExitStatus status = final_status(worker, told);
  const bool left =
      worker.retiring && (!status.known || (WIFEXITED(status.wait_status) && WEXITSTATUS(status.wait_status) == 0));
  const bool planned = left || worker.evidence.ended_by == death::EndedBy::shutdown;
  const bool before_ready = !worker.was_ready;
  gather_evidence(worker, status);
  step(worker, workers::Event::reaped);
  if (planned && !worker.victim) {
    ++counts_.retired;
    tell(Event::Kind::retired, [&](Event& event) {
      event.pid = worker.pid;
      event.detail = worker.evidence.detail;
    });
  } else if (const std::shared_ptr<CrashReport> report = write_report(worker); report != nullptr) {
    child::count_death(counts_, worker, report->cause);
    if (!worker.victim && worker.evidence.ended_by != death::EndedBy::cancel) ++counts_.deaths_idle;
    tell_death(worker, report);
    settle_victim(worker, report);
    if (before_ready && !finishing()) note_death_before_ready(*report);
  } else {
    child::count_death(counts_, worker, Cause::unknown);
    if (!worker.victim && worker.evidence.ended_by != death::EndedBy::cancel) ++counts_.deaths_idle;
    settle_unreported(worker);
  }
  worker.leases.clear();
  arena_->writer_gone(worker.id);
  forget(worker);
  refill_soon();
  if (!queue_.empty()) pump();  // what waited to know what it died of
}

/// What there is no memory for is not in the report.
void Engine::gather_evidence(Worker& worker, const os::ExitStatus& status) noexcept {
  try {
    child::complete_evidence(worker, status, worker.channel().last_words);
  } catch (const std::bad_alloc&) {
  }
  try {
    read_last_stderr(worker);
  } catch (const std::bad_alloc&) {
  }
}

void Engine::tell_death(const Worker& worker, const std::shared_ptr<CrashReport>& report) {
  tell(Event::Kind::death, [&](Event& event) {
    event.pid = worker.pid;
    event.task_id = report->task_id;
    event.detail = std::string(name(report->cause));
    event.report = report;
  });
  if (worker.successor == 0) return;
  tell(Event::Kind::takeover, [&](Event& event) {
    event.pid = worker.successor;
    event.detail = "for worker " + std::to_string(worker.pid);
  });
}

/// Null: there is no memory for one.
std::shared_ptr<CrashReport> Engine::write_report(Worker& worker) try {
  std::shared_ptr<CrashReport> report = child::report_on(worker);
  if (worker.victim) {
    describe(*worker.victim, *report);
    if (worker.evidence.ended_by != death::EndedBy::pressure) note_history(*worker.victim, *report);
  }
  return report;
} catch (const std::bad_alloc&) {
  return nullptr;
}

/// They died, and nothing can be said about it, nor can another attempt be made.
void Engine::settle_unreported(Worker& worker) {
  const auto end = [this](TaskRef task) {
    admission_.leave(*task, task::Gate::End::failed);
    no_memory_for(std::move(task));
  };
  for (TaskRef& task : std::exchange(worker.other_victims, {})) end(std::move(task));
  if (!worker.victim) return;
  admission_.close_grave(*worker.victim);
  end(std::move(worker.victim));
}

/// SIGKILL has not ended it yet: it sits in an uninterruptible system call, or is frozen. What it ran need not wait for that.
void Engine::settle_before_death(Worker& worker) {
  if (!worker.victim) return;
  note_detail(worker, "it was killed, but has not ended yet: it sits in an uninterruptible system call, or is frozen");
  if (const std::shared_ptr<CrashReport> report = write_report(worker)) return settle_victim(worker, report);
  settle_unreported(worker);
}

/// Which attempt it was. It is over, and has failed.
void Engine::describe(Task& victim, CrashReport& report) {
  report.task_id = victim.id;
  // Named when somebody asks: finding the name of code takes milliseconds, and this thread serves all workers.
  report.task_name = victim.extra_ != nullptr ? victim.extra_->options.name : std::string();
  report.task_code = victim.target;
  report.task_type = victim.site.type_name;
  report.attempt = ++victim.attempt;
}

void Engine::settle_victim(Worker& worker, const std::shared_ptr<CrashReport>& report) {
  settle_other_victims(worker, *report);
  if (!worker.victim) return;
  admission_.close_grave(*worker.victim);
  admission_.leave(*worker.victim, task::Gate::End::failed);
  if (descriptors_lost_) return refuse(std::move(worker.victim), [this] { return PoolBroken(broken_); });
  if (put_back_after_pressure(worker)) return;
  TaskRef victim = std::move(worker.victim);
  TaskExtra& extra = victim->extra();
  extra.report = report;
  if (extra.options.retries.attempts <= 1 || victim->site.many) {
    salvage(worker, *victim);
    return settle(std::move(victim), Ending::died);
  }
  auto failed = std::make_shared<FailedAttempt>();
  failed->report = report;
  failed->task_id = victim->id;
  failed->attempt = victim->attempt;
  attempt_failed(std::move(victim), std::move(failed));
}

void Engine::note_death_before_ready(const CrashReport& report) {
  // One that is ready and has not been noticed yet ends the row.
  for (const auto& [id, worker] : workers_) note_ready(*worker);
  if (!breaker_.died_before_ready()) return;
  std::string why = "pool \"" + options_.name + "\": " + std::to_string(breaker_.in_a_row()) +
                    " workers in a row died before their first task; the last one: " + report.summary();
  if (!report.detail.empty()) why += ": " + report.detail;
  break_pool(why);
}

/// Off the engine's threads: reading a stack may take milliseconds, and the takeover has already happened.
void Engine::take_stack_then_kill(Worker& worker) {
  worker.held_for_stack = true;
  try {
    coroner_.run([this, id = worker.id, pid = worker.pid, &pidfd = worker.pidfd, &words = worker.channel().last_words] {
      auto stacks = death::stacks_of_hung(pid, pidfd, words);  // the worker is held for us
      const Lock lock(mutex_);
      take_step([&] { on_stacks(id, stacks); });
    });
  } catch (const std::bad_alloc&) {
    worker.held_for_stack = false;
    note_detail(worker, "its stack could not be taken: no memory");
    kill(worker);
  }
}

void Engine::note_detail(Worker& worker, const char* detail) noexcept try {
  worker.evidence.detail = detail;
} catch (const std::bad_alloc&) {  // then it is not told
}

void Engine::end_held(child::Process& process) {
  Worker& worker = worker_of(process);
  if (worker.grace == 0 || worker.exited) return kill(worker);
  child::signal_group(worker, *nursery_, SIGTERM);
  worker.gone_by = os::monotonic_ns() + worker.grace;
  arm_timer();
}

}  // namespace hotspare::detail
