#include "child/burial.hpp"

#include "death/stack_image.hpp"
#include "death/verdict.hpp"
#include "os/family.hpp"
#include "os/memory.hpp"
#include "os/process_state.hpp"

#include <csignal>
#include <string>
#include <sys/wait.h>
#include <utility>

namespace hotspare::child {
namespace {

bool was_sigkilled(const os::ExitStatus& status) {
  return status.known && WIFSIGNALED(status.wait_status) && WTERMSIG(status.wait_status) == SIGKILL;
}

}  // namespace

void watch_oom(Process& process, OomWatch& earlier) noexcept try {
  process.oom_watch = OomWatch::of(process.pid, "", &earlier);
  earlier = process.oom_watch;
} catch (const std::exception&) {
}

void note_program(Process& process) noexcept try {
  process.evidence.program = os::program_after_exec(process.pid);
} catch (const std::bad_alloc&) {
}

os::ExitStatus status_without_parent(const Process& process) {
  os::kill_group_left_by(process.pid);
  os::ExitStatus status = os::reap_child(process.pidfd);  // where the host adopts what is orphaned, as process 1 does
  if (!status.known) status = os::exit_status_of(process.pidfd);
  if (!status.known) status = os::status_of_zombie(process.pid, process.pidfd);
  return status;
}

void complete_evidence(Process& process, const os::ExitStatus& status, const worker::LastWords& words) {
  death::Evidence& evidence = process.evidence;
  evidence.exit = status;
  evidence.pid = process.pid;
  std::shared_ptr<hotspare::detail::StackImage> from_outside = std::move(evidence.stack);
  std::string detail = std::move(evidence.detail);
  death::read_last_words(words, evidence);
  if (from_outside != nullptr) evidence.stack = std::move(from_outside);
  if (!detail.empty()) evidence.detail = std::move(detail);
  if (!was_sigkilled(status) || evidence.ended_by != death::EndedBy::nobody) return;
  evidence.oom_kills = process.oom_watch.kills();
  evidence.oom_kills_of_machine = process.oom_watch.counts_machine();
  evidence.machine_bytes = os::physical_memory();
  evidence.oom_log_names_it = evidence.oom_kills != 0 && death::oom_log_names(process.pid);
}

std::shared_ptr<CrashReport> report_on(const Process& process) {
  auto report = std::make_shared<CrashReport>();
  death::judge(process.evidence, *report);
  report->pid = process.pid;
  report->stderr_tail = process.stderr_tail.lines();
  return report;
}

}  // namespace hotspare::child
