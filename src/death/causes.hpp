#pragma once

#include "task/reason.hpp"

#include <hotspare/crash_report.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

/// The causes, described once: what they are called, what is said of them, and what follows from them. Python's table
/// (python/hotspare/_causes.py) has the same words; a test compares them.
namespace hotspare::death {

struct CauseFacts {
  Cause cause;
  std::string_view name;  ///< In stored reports, metrics and Python: never changed.
  /// What became of the worker, after its name. {signal}: which, from whom, at which address; {at}: " at address …";
  /// {code}: exit code; {detail}: ": " and the detail, if there is one; {surely}: ", most likely", unless it is certain;
  /// {end}: how the other program ended.
  std::string_view sentence;
  task::Reason reason;  ///< For retries and journals.
  bool ended = false;   ///< We ended it: its stack tells what it was busy with, not where it crashed.
};

inline constexpr std::array causes = std::to_array<CauseFacts>({
    {Cause::signal, "signal", "{signal}", task::Reason::death},
    {Cause::exited, "exited", "exited with code {code}", task::Reason::death},
    {Cause::terminated, "terminated", "called std::terminate{detail}", task::Reason::death},
    {Cause::stack_overflow, "stack_overflow", "overflowed its stack{at}", task::Reason::death},
    {Cause::memory_limit, "memory_limit", "was ended: its memory limit was reached", task::Reason::memory, true},
    {Cause::deadline, "deadline", "was ended: its deadline passed", task::Reason::timeout, true},
    {Cause::cancelled, "cancelled", "was ended: its task was cancelled", task::Reason::planned, true},
    {Cause::out_of_memory, "out_of_memory", "was killed{surely} by the kernel for lack of memory",
     task::Reason::memory},
    {Cause::lifeline_closed, "lifeline_closed", "was ended: it had closed the lifeline that ties it to its host",
     task::Reason::death, true},
    {Cause::protocol, "protocol", "was ended: it wrote nonsense into its channel{detail}", task::Reason::death},
    {Cause::exec, "exec", "became another program by exec{detail}{end}", task::Reason::death},
    {Cause::pthread_exit, "pthread_exit", "ended its own main thread (pthread_exit)", task::Reason::death},
    {Cause::file_size_limit, "file_size_limit", "wrote beyond the limit of a file's size (SIGXFSZ, RLIMIT_FSIZE)",
     task::Reason::death},
    {Cause::forbidden_call, "forbidden_call", "made a forbidden system call (SIGSYS){detail}", task::Reason::death},
    {Cause::unknown, "unknown", "died; its exit status was lost", task::Reason::death},
});

// Arrays of figures have a place for each cause, by its number.
static_assert(causes.size() == cause_count);
static_assert(std::is_sorted(causes.begin(), causes.end(),
                             [](const CauseFacts& a, const CauseFacts& b) { return a.cause < b.cause; }));
static_assert(causes.front().cause == Cause{0} && causes.back().cause == Cause::unknown);

/// Also for a value from elsewhere: then those of unknown.
constexpr const CauseFacts& facts_of(Cause cause) {
  return causes[std::min(static_cast<std::size_t>(cause), cause_count - 1)];
}

}  // namespace hotspare::death
