#include "death/verdict.hpp"

#include "death/stack_image.hpp"
#include "os/system_calls.hpp"

#include <csignal>
#include <string>
#include <sys/wait.h>

namespace hotspare::death {
namespace {

using worker::LastWordsKind;

std::string kernel_says(const Evidence& evidence) {
  if (!evidence.exit.known) return "the exit status is lost (the zygote died before it could be asked)";
  const int status = evidence.exit.wait_status;
  if (WIFSIGNALED(status)) return std::string("the kernel reports signal ") + std::to_string(WTERMSIG(status));
  return "the kernel reports exit code " + std::to_string(WEXITSTATUS(status));
}

const char* what_passed(task::Step::Kind limit) {
  if (limit == task::Step::Kind::end_soft) return "its task's soft deadline and the grace after it passed";
  if (limit == task::Step::Kind::end_silent) return "its task told of no progress for longer than it may";
  return "its task's deadline passed";
}

std::string megabytes(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MB"; }

std::string what_was_taken(const MemoryTaken& taken, std::uint64_t limit) {
  std::string text = "its task had added " + megabytes(taken.total()) + " under a limit of " + megabytes(limit) + ": " +
                     megabytes(taken.anonymous) + " private, " + megabytes(taken.shared) + " shared";
  if (taken.processes != 0)
    text += ", " + megabytes(taken.children) + " private in " + std::to_string(taken.processes) +
            (taken.processes == 1 ? " child" : " children");
  return text + "; it was stopped, its stack was taken, and it was killed";
}

/// What we did ourselves needs no guessing.
bool judge_our_own(const Evidence& evidence, CrashReport& report) {
  switch (evidence.ended_by) {
    case EndedBy::nobody: return false;
    case EndedBy::deadline:
      report.cause = Cause::deadline;
      report.evidence = std::string(what_passed(evidence.limit)) + "; its stack was taken and it was killed";
      return true;
    case EndedBy::cancel:
      report.cause = Cause::cancelled;
      report.evidence = "its running task was cancelled by the host (cancel with kill)";
      return true;
    case EndedBy::shutdown:
      report.cause = Cause::cancelled;
      report.evidence = "the pool was shut down, and it was killed when the grace for what still ran was over";
      return true;
    case EndedBy::lifeline:
      report.cause = Cause::lifeline_closed;
      report.evidence =
          "it closed its lifeline (all its descriptors?) while it lived, so it was killed: nothing "
          "would have ended it with its host";
      return true;
    case EndedBy::exec:
      report.cause = Cause::exec;
      report.detail = evidence.program.value_or("");
      report.evidence =
          "the other program had closed its lifeline, so it was killed: nothing would have ended it with its host";
      return true;
    case EndedBy::main_thread:
      report.cause = Cause::pthread_exit;
      report.evidence = "its main thread had ended while others lived on, so it was killed";
      return true;
    case EndedBy::pressure:
      report.cause = Cause::memory_limit;
      report.evidence =
          "it was ended because the pool's workers took more memory than they may together, or left the machine less "
          "than "
          "the reserve";
      return true;
    case EndedBy::last_resort:
      report.cause = Cause::memory_limit;
      report.evidence =
          "it was ended because the memory of its cgroup was nearly used up: memory.oom.group is 1 there, so the "
          "kernel would have "
          "ended the host with all workers";
      return true;
    case EndedBy::memory:
      report.cause = Cause::memory_limit;
      report.evidence = what_was_taken(evidence.memory_taken, evidence.memory_limit);
      return true;
    case EndedBy::protocol:
      report.cause = Cause::protocol;
      report.evidence = "it wrote nonsense into its channel, so it was killed: " + evidence.protocol_error;
      return true;
  }
  return false;
}

/// "ptrace (number 101)"; empty: not known.
std::string system_call(int number) {
  if (number < 0) return {};
  const std::string_view name = os::system_call_name(number);
  return std::string(name.empty() ? "one that is not known here" : name) + " (number " + std::to_string(number) + ")";
}

/// A limit that is nearly used up explains a crash of code that does not check malloc.
bool at_memory_limit(const Evidence& evidence) {
  return evidence.data_limit != 0 && evidence.signal != 0 && evidence.data_bytes >= evidence.data_limit / 10 * 9 &&
         (evidence.signal == SIGSEGV || evidence.signal == SIGABRT || evidence.signal == SIGBUS);
}

void judge_signal_words(const Evidence& evidence, CrashReport& report) {
  report.cause = Cause::signal;
  report.evidence = "its signal handler noted it; " + kernel_says(evidence);
  // SI_KERNEL: the processor did not say which address it was, and the kernel gives 0 (not canonical, on x86_64).
  const bool fault = evidence.signal_code > 0 && evidence.signal_code != SI_KERNEL &&
                     (evidence.signal == SIGSEGV || evidence.signal == SIGBUS || evidence.signal == SIGFPE ||
                      evidence.signal == SIGILL);
  report.has_fault_address = fault;
  report.fault_address = fault ? evidence.address : 0;
  report.sender_pid = evidence.sender_pid;
  if (evidence.signal == SIGXFSZ && (evidence.sender_pid == 0 || evidence.sender_pid == evidence.pid)) {
    report.cause = Cause::file_size_limit;
    report.evidence = "a file would have grown beyond RLIMIT_FSIZE (ulimit -f); " + kernel_says(evidence);
  } else if (evidence.signal == SIGSYS && evidence.signal_code > 0) {
    report.cause = Cause::forbidden_call;
    report.detail = system_call(evidence.system_call);
    report.evidence = "a seccomp filter forbids it; " + kernel_says(evidence);
  } else if (evidence.beside_stack_end) {
    report.cause = Cause::stack_overflow;
    report.evidence = "the fault lies at the end of the thread's stack; " + kernel_says(evidence);
  } else if (at_memory_limit(evidence)) {
    report.cause = Cause::memory_limit;
    report.evidence = "it crashed when its task had added " + std::to_string(evidence.data_bytes >> 20) +
                      " MB under a limit of " + std::to_string(evidence.data_limit >> 20) +
                      " MB: an allocation that failed is the likely reason";
  }
}

bool judge_last_words(const Evidence& evidence, CrashReport& report) {
  report.signal = evidence.signal;
  report.signal_code = evidence.signal_code;
  report.thread_id = evidence.thread_id;
  switch (evidence.words) {
    case LastWordsKind::none:
    case LastWordsKind::count: return false;
    case LastWordsKind::signal: judge_signal_words(evidence, report); return true;
    case LastWordsKind::terminated:
      report.cause = Cause::terminated;
      report.evidence = "std::terminate was called; " + kernel_says(evidence);
      return true;
    case LastWordsKind::memory_limit:
      report.cause = Cause::memory_limit;
      report.evidence =
          "operator new failed under the task's limit of " + std::to_string(evidence.data_limit >> 20) + " MB";
      return true;
    case LastWordsKind::thread_exit:
      report.cause = Cause::pthread_exit;
      report.evidence = "its main thread was about to end alone (pthread_exit or pthread_cancel), so it ended itself";
      return true;
    case LastWordsKind::initializer:
      report.cause = Cause::exited;
      report.exit_code = 1;
      report.evidence = "the initializer threw";
      return true;
  }
  return false;
}

/// The machine's count means others as likely as this one, unless it was large. What is not known is no evidence.
bool may_be_meant(const Evidence& evidence) {
  constexpr std::uint64_t large = 64;  // a share of the machine's memory
  return !evidence.oom_kills_of_machine || !evidence.exit.usage_known ||
         evidence.exit.peak_rss_bytes >= evidence.machine_bytes / large;
}

void judge_sigkill(const Evidence& evidence, CrashReport& report) {
  if (evidence.oom_log_names_it) {
    report.cause = Cause::out_of_memory;
    report.oom = Oom::certain;
    report.evidence = "the kernel's log says that it killed this process for memory";
  } else if (evidence.oom_kills > 0 && may_be_meant(evidence)) {
    report.cause = Cause::out_of_memory;
    report.oom = Oom::likely;
    report.evidence = "SIGKILL from nobody we know, and the kernel killed " + std::to_string(evidence.oom_kills) +
                      " process(es) for memory while this worker lived" +
                      (evidence.oom_kills_of_machine ? " (on the whole machine)" : " (in its cgroup)");
  } else if (evidence.oom_kills > 0) {
    report.evidence = "SIGKILL from outside or by itself: the kernel killed " + std::to_string(evidence.oom_kills) +
                      " process(es) of this machine for memory while this worker lived, but this one was small: " +
                      megabytes(evidence.exit.peak_rss_bytes);
  } else {
    report.evidence =
        "SIGKILL from outside or by itself: nobody of ours sent it, and the kernel killed nothing for "
        "memory while this worker lived";
  }
}

void judge_exit_status(const Evidence& evidence, CrashReport& report) {
  const int status = evidence.exit.wait_status;
  if (evidence.exit.known && !WIFSIGNALED(status)) report.exit_code = WEXITSTATUS(status);
  if (evidence.exit.known && WIFSIGNALED(status)) report.signal = WTERMSIG(status);
  if (evidence.program) {
    report.cause = Cause::exec;
    report.detail = *evidence.program;
    report.evidence = "the kernel has it as another program; " + kernel_says(evidence);
    return;
  }
  if (!evidence.exit.known) {
    report.cause = Cause::unknown;
    report.evidence = kernel_says(evidence);
    return;
  }
  if (!WIFSIGNALED(status)) {
    report.cause = Cause::exited;
    report.evidence = "it called exit, quick_exit or _exit; " + kernel_says(evidence);
    return;
  }
  report.cause = Cause::signal;
  report.evidence = kernel_says(evidence);
  if (report.signal == SIGKILL) judge_sigkill(evidence, report);
  if (report.signal == SIGXFSZ) {
    report.cause = Cause::file_size_limit;
    report.evidence = "a file would have grown beyond RLIMIT_FSIZE (ulimit -f); " + kernel_says(evidence);
  } else if (report.signal == SIGSYS) {
    report.cause = Cause::forbidden_call;
    report.evidence =
        "no handler of it ran, as when a seccomp filter ends the process at once: which call it was nobody knows; " +
        kernel_says(evidence);
  }
}

}  // namespace

void judge(const Evidence& evidence, CrashReport& report) {
  report.peak_rss_bytes = evidence.exit.peak_rss_bytes;
  report.cpu_time = std::chrono::microseconds(evidence.exit.cpu_us);
  report.stack_image = evidence.stack;
  report.other_stack_images = evidence.other_stacks;
  report.script_stack = evidence.script_stack;
  report.detail = evidence.detail;
  if (judge_our_own(evidence, report)) {
    const int status = evidence.exit.wait_status;
    if (evidence.exit.known && WIFSIGNALED(status)) report.signal = WTERMSIG(status);
    if (evidence.exit.known && !WIFSIGNALED(status) && report.cause == Cause::exec)
      report.exit_code = WEXITSTATUS(status);  // it was quicker than we were
    if (evidence.stack != nullptr) report.thread_id = evidence.stack->thread_id;
    return;
  }
  if (!judge_last_words(evidence, report)) judge_exit_status(evidence, report);
}

}  // namespace hotspare::death
