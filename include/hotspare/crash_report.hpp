#pragma once

#include <hotspare/export.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hotspare {

/// What ended a worker, as far as the kernel and the worker's own last words prove it.
enum class Cause : std::uint8_t {
  signal,           ///< A fatal signal; see CrashReport::signal and sender_pid.
  exited,           ///< The process called exit, quick_exit or _exit; see exit_code.
  terminated,       ///< std::terminate: an exception nobody caught; see detail.
  stack_overflow,   ///< SIGSEGV beside the end of the thread's stack.
  memory_limit,     ///< TaskOptions::memory_limit was reached.
  deadline,         ///< TaskOptions::timeout passed; we took the stack and ended it.
  cancelled,        ///< Future::cancel(Cancel::kill).
  out_of_memory,    ///< The kernel's OOM killer; CrashReport::oom says how sure that is.
  lifeline_closed,  ///< It closed our descriptors, so nothing would end it with its host: we did.
  protocol,         ///< It wrote nonsense into its channel; we ended it.
  exec,             ///< It became another program; see detail, and exit_code or signal for how that ended.
  pthread_exit,     ///< Its main thread ended (pthread_exit, pthread_cancel) without the process.
  file_size_limit,  ///< SIGXFSZ: a file would have grown beyond RLIMIT_FSIZE.
  forbidden_call,   ///< SIGSYS from a seccomp filter; detail has the system call's name.
  unknown,          ///< The exit status was lost together with the zygote. Stays the last one.
};
inline constexpr std::size_t cause_count = static_cast<std::size_t>(Cause::unknown) + 1;

/// How sure it is that the kernel's OOM killer did it.
enum class Oom : std::uint8_t {
  no,       ///< The kernel killed nothing for memory while this worker lived.
  likely,   ///< SIGKILL from nobody we know, and the kernel's OOM counter moved.
  certain,  ///< The kernel's log names this process.
};

/// One call frame of the dead worker.
struct Frame {
  std::uint64_t address = 0;  ///< Program counter in the worker.
  std::string module;         ///< File that holds the code; empty if none does.
  std::uint64_t offset = 0;   ///< Address within that file's image.
  std::string function;       ///< Demangled; empty if no symbol is known.
  std::string file;           ///< Source file; empty without debug information.
  int line = 0;               ///< 1-based; 0 if unknown.
};

/// Call stack of one thread, innermost first.
struct ThreadStack {
  std::int64_t thread_id = 0;  ///< The kernel's.
  std::vector<Frame> frames;
};

namespace detail {
struct StackImage;  // registers, a copy of the stack and the module map: unwound when first asked for
}

/// Everything that is known about the death of one worker. A value: copy it, keep it, print it.
/// Threads: const members may be called from any thread.
struct HOTSPARE_API CrashReport {
  Cause cause = Cause::unknown;
  std::string other_cause;  ///< Of a report that another version stored: its cause's name, if this one has none such.
  int signal = 0;           ///< Signal number, 0 if none.
  int signal_code = 0;      ///< si_code of that signal, when the worker could still note it.
  int exit_code = -1;       ///< Exit code, -1 if it did not exit by itself.
  bool has_fault_address = false;
  std::uint64_t fault_address = 0;  ///< si_addr of SIGSEGV, SIGBUS, SIGFPE, SIGILL.
  int sender_pid = 0;               ///< Who sent the signal, 0 if nobody or unknown (SIGKILL never tells).
  Oom oom = Oom::no;
  std::string evidence;  ///< What the verdict rests on, in words.
  std::string detail;    ///< Message of the exception that reached std::terminate, and the like.
  std::int64_t pid = 0;
  std::int64_t thread_id = 0;             ///< Kernel id of the thread that died first, 0 if unknown.
  std::uint64_t task_id = 0;              ///< 0: no task was running.
  std::string task_name;                  ///< TaskOptions::name; see task_label().
  int attempt = 0;                        ///< 1 for the first attempt.
  std::uint64_t peak_rss_bytes = 0;       ///< Highest resident size; 0 if the kernel did not tell us.
  std::chrono::microseconds cpu_time{0};  ///< User and system time of the whole worker.
  std::vector<std::string> stderr_tail;   ///< Its last lines on stderr, oldest first, at most 20.

  /// Deaths of earlier attempts, of the same task or of others with the same TaskOptions::key, oldest first.
  std::vector<std::shared_ptr<const CrashReport>> earlier;
  bool quarantined = false;  ///< No more workers are risked for it.

  /// Call stack in the language that embeds the engine (Python's, innermost first, one frame a line); empty in C++
  /// programs and when there was nobody to take it.
  std::string script_stack;

  /// name(cause), or other_cause.
  std::string_view cause_name() const;

  /// task_name, or what the task's code is called. Found at the first call of all, which may take some 10 ms.
  std::string task_label() const;

  /// Call stack of the thread that died, innermost first; empty when there was nobody to take it
  /// (SIGKILL). Unwound and symbolised by libdw at the first call, cached. The first report of a program takes some
  /// 100 ms, as its debug information is read then; later ones well under 1 ms if they died in the same places.
  const std::vector<Frame>& native_stack() const;

  /// The other threads' call stacks, at most 31, of a worker that was ended for a deadline; else empty. As costly as
  /// native_stack().
  std::vector<ThreadStack> other_threads() const;

  /// One line: who died, of what, in what, where.
  std::string summary() const;
  /// The whole report for people, several lines.
  std::string text() const;
  /// The whole report as one JSON object; in it those of earlier deaths, but not what was before them in turn.
  std::string json() const;

  std::shared_ptr<detail::StackImage> stack_image;                            ///< Raw material of native_stack(),
  std::vector<std::shared_ptr<const detail::StackImage>> other_stack_images;  ///< of other_threads().
  const void* task_code = nullptr;  ///< Raw material of task_label(): the function, in the host,
  const char* task_type = nullptr;  ///< or the mangled type of the functor.
};

HOTSPARE_API std::string_view name(Cause cause);
HOTSPARE_API std::string_view name(Oom oom);

}  // namespace hotspare
