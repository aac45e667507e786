#include "death/detection.hpp"
#include "death/stack_image.hpp"
#include "death/stacks_of_hung.hpp"
#include "death/verdict.hpp"
#include "os/clock.hpp"
#include "supervisor/engine.hpp"
#include "zygote/embedding.hpp"

#include <hotspare/error.hpp>

#include <array>
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

/// The zygote is its parent. While its stack is being taken the zombie must keep its number.
void Engine::ask_reap(Worker& worker) {
  if (!worker.exited || worker.held_for_stack || worker.reap_asked) return;
  worker.reap_asked = true;
  zygote::Request request;
  request.ask = zygote::Ask::reap;
  request.worker = worker.id;
  request.pid = worker.pid;
  if (worker.zygote_pid == zygote_.pid && zygote_.control && zygote::send(zygote_.control, request)) return;
  // Its zygote is dead: init reaps it, and the pidfd may still tell (Linux 6.15).
  bury(worker, os::exit_status_of(worker.pidfd));
}

void Engine::bury(Worker& worker, const os::ExitStatus& status) {
  const bool left =
      worker.retiring && (!status.known || (WIFEXITED(status.wait_status) && WEXITSTATUS(status.wait_status) == 0));
  const bool planned = left || worker.evidence.ended_by == death::EndedBy::shutdown;
  const bool before_ready = !worker.was_ready;
  gather_evidence(worker, status);
  worker.step(workers::Event::reaped);
  if (planned && !worker.victim) {
    ++counts_.retired;
    Event event;
    event.kind = Event::Kind::retired;
    event.pid = worker.pid;
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

void Engine::gather_evidence(Worker& worker, const os::ExitStatus& status) {
  death::Evidence& evidence = worker.evidence;
  evidence.exit = status;
  evidence.pid = worker.pid;
  std::shared_ptr<StackImage> stack_from_outside = std::move(evidence.stack);
  death::read_last_words(worker.channel().last_words, evidence);
  if (stack_from_outside != nullptr) evidence.stack = std::move(stack_from_outside);
  const bool killed = status.known && WIFSIGNALED(status.wait_status) && WTERMSIG(status.wait_status) == SIGKILL;
  if (killed && evidence.ended_by == death::EndedBy::nobody) {
    evidence.oom_kills = death::oom_kills() - worker.oom_kills_at_birth;
    evidence.oom_log_names_it = evidence.oom_kills != 0 && death::oom_log_names(worker.pid);
  }
  constexpr int most_pieces = 64;  // more than a pipe holds; what it has started may write on
  for (int piece = 0; piece < most_pieces && forward_stderr(worker);) ++piece;
  if (!to_tee_.empty()) supervisor_call_->notify();
}

std::shared_ptr<CrashReport> Engine::write_report(Worker& worker) {
  auto report = std::make_shared<CrashReport>();
  death::judge(worker.evidence, *report);
  report->pid = worker.pid;
  report->stderr_tail = worker.stderr_tail.lines();
  if (worker.victim) {
    report->task_id = worker.victim->id;
    // Named when somebody asks: finding the name of code takes milliseconds, and this thread serves all workers.
    if (worker.victim->extra_ != nullptr) report->task_name = worker.victim->extra_->options.name;
    report->task_code = worker.victim->target;
    report->task_type = worker.victim->site.type_name;
    report->attempt = ++worker.victim->attempt;
    if (worker.evidence.ended_by != death::EndedBy::pressure) note_history(*worker.victim, *report);
  }
  return report;
}

void Engine::settle_victim(Worker& worker, const std::shared_ptr<CrashReport>& report) {
  if (!worker.victim) return;
  close_grave(*worker.victim);
  leave_gates(*worker.victim, task::Gate::End::failed);
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
      os::signal_group(held.pid, SIGTERM);
      held.gone_by = os::monotonic_ns() + held.grace;
      arm_timer();
    } else {
      os::signal_process(held.pidfd, SIGKILL);
    }
    ask_reap(held);
  });
}

}  // namespace hotspare::detail
