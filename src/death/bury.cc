#include "child/burial.hpp"
#include "child/ending.hpp"
#include "death/detection.hpp"
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

/// Its pidfd says that the whole process has ended.
void Engine::on_exit(Worker& worker) {
  worker.exited = true;
  worker.evidence.program = os::program_after_exec(worker.pid);
  poller_->forget(worker.pidfd);
  notice_death(worker);
  ask_reap(worker);
}

/// Its parent is asked. While its stack is being taken the zombie must keep its number.
void Engine::ask_reap(Worker& worker) {
  constexpr std::int64_t patience_ns = 250'000'000;
  if (!worker.exited || worker.held_for_stack || worker.reap_asked) return;
  if (!nursery_->ask_to_reap(worker.id, worker)) return bury(worker, {});
  // It answers at once, unless somebody has stopped it: the task that died must not wait for that.
  worker.gone_by = os::monotonic_ns() + patience_ns;
  arm_timer();
}

void Engine::bury(Worker& worker, const os::ExitStatus& told) {
  const os::ExitStatus status = told.known || !worker.exited ? told : child::status_without_parent(worker);
  const bool left =
      worker.retiring && (!status.known || (WIFEXITED(status.wait_status) && WEXITSTATUS(status.wait_status) == 0));
  const bool planned = left || worker.evidence.ended_by == death::EndedBy::shutdown;
  const bool before_ready = !worker.was_ready;
  child::complete_evidence(worker, status, worker.channel().last_words);
  constexpr int most_pieces = 64;  // more than a pipe holds; what it has started may write on
  for (int piece = 0; piece < most_pieces && forward_stderr(worker);) ++piece;
  if (!to_tee_.empty()) supervisor_call_->notify();  // the supervisor writes it
  worker.step(workers::Event::reaped);
  if (planned && !worker.victim) {
    ++counts_.retired;
    Event event;
    event.kind = Event::Kind::retired;
    event.pid = worker.pid;
    event.detail = worker.evidence.detail;
    tell(std::move(event));
  } else {
    const std::shared_ptr<CrashReport> report = write_report(worker);
    count_death(worker, report->cause);
    Event event;
    event.kind = Event::Kind::death;
    event.pid = worker.pid;
    event.task_id = report->task_id;
    event.detail = std::string(name(report->cause));
    event.report = report;
    tell(std::move(event));
    if (worker.successor != 0) {
      Event takeover;
      takeover.kind = Event::Kind::takeover;
      takeover.pid = worker.successor;
      takeover.detail = "for worker " + std::to_string(worker.pid);
      tell(std::move(takeover));
    }
    settle_victim(worker, report);
    if (before_ready && !finishing()) note_death_before_ready(*report);
  }
  worker.leases.clear();
  arena_->writer_gone(worker.id);
  forget(worker);
  refill_soon();
  if (!queue_.empty()) pump_and_look();  // what waited to know what it died of
}

void Engine::count_death(const Worker& worker, Cause cause) {
  ++counts_.deaths;
  ++counts_.deaths_by_cause[static_cast<std::size_t>(cause)];
  if (!worker.was_ready) ++counts_.deaths_before_ready;
  if (!worker.victim && worker.evidence.ended_by != death::EndedBy::cancel) ++counts_.deaths_idle;
  if (const auto ns = death::detection(worker.evidence, worker.asked_at, worker.noticed_at))
    counts_.detection.add(std::chrono::nanoseconds(*ns));
}

std::shared_ptr<CrashReport> Engine::write_report(Worker& worker) {
  std::shared_ptr<CrashReport> report = child::report_on(worker);
  if (worker.victim) {
    describe(*worker.victim, *report);
    if (worker.evidence.ended_by != death::EndedBy::pressure) note_history(*worker.victim, *report);
  }
  return report;
}

/// SIGKILL has not ended it yet: it sits in an uninterruptible system call, or is frozen. What it ran need not wait for that.
void Engine::settle_before_death(Worker& worker) {
  if (!worker.victim) return;
  worker.evidence.detail =
      "it was killed, but has not ended yet: it sits in an uninterruptible system call, or is frozen";
  settle_victim(worker, write_report(worker));
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
  close_grave(*worker.victim);
  leave_gates(*worker.victim, task::Gate::End::failed);
  if (descriptors_lost_) return refuse(std::move(worker.victim), std::make_exception_ptr(PoolBroken(broken_)));
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
  coroner_.run([this, id = worker.id, pid = worker.pid, &pidfd = worker.pidfd, &words = worker.channel().last_words] {
    auto stacks = death::stacks_of_hung(pid, pidfd, words);  // the worker is held for us
    Lock lock(mutex_);
    const auto found = workers_.find(id);
    HS_CHECK(found != workers_.end());  // it is held for us
    Worker& held = *found->second;
    if (stacks) {
      held.evidence.stack = std::move(stacks->front());
      held.evidence.other_stacks.assign(stacks->begin() + 1, stacks->end());
    } else {
      held.evidence.detail = "its stack could not be taken: " + stacks.failure().text();
    }
    held.held_for_stack = false;
    if (held.grace != 0 && !held.exited) {
      child::signal_group(held, *nursery_, SIGTERM);
      held.gone_by = os::monotonic_ns() + held.grace;
      arm_timer();
    } else {
      kill(held);
    }
    ask_reap(held);
    if (!descriptors_lost_ || !workers_.contains(id)) return;
    let_go(held);
    end_without_descriptors();
  });
}

}  // namespace hotspare::detail
