#pragma once

#include "os/fd.hpp"
#include "os/process.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>

/// What other processes are doing, as /proc tells it.
namespace hotspare::os {

/// The exit status of somebody else's child that is not reaped yet, from /proc. known=false: it cannot be read there.
ExitStatus status_of_zombie(pid_t pid, const Fd& pidfd) noexcept;
/// Whether its main thread is neither gone nor on its way out, which the kernel says long before the process has exited.
bool runs(pid_t pid, const Fd& pidfd) noexcept;
/// The name of the program that a child of somebody who never called exec became by exec, also if it is a zombie; none if it
/// did not, or /proc does not tell.
std::optional<std::string> program_after_exec(pid_t pid);
/// Whether its main thread has ended and another one neither has nor is to be killed.
bool outlives_its_main_thread(pid_t pid);
/// By a signal, not by a debugger. WARNING: by number, so of a process that has not been reaped. False if nobody can tell.
bool is_stopped(pid_t pid) noexcept;
/// Whether a signal sent to it would be handled now: it does not block or ignore it, and is not stopped.
bool would_handle(pid_t pid, int signal) noexcept;
/// What a process is doing just now, as far as the kernel tells.
struct Activity {
  bool runnable = false;     ///< It runs, or wants to and has no CPU.
  std::int64_t cpu_ns = -1;  ///< CPU time of its main thread so far; -1: not known.
};
Activity activity_of(pid_t pid) noexcept;

}  // namespace hotspare::os
