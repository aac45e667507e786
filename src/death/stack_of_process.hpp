#pragma once

#include "death/stack_image.hpp"
#include "os/fd.hpp"
#include "os/result.hpp"

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <vector>

namespace hotspare::death {

/// Takes the stack of a thread of another process from outside, though it spins, blocks every signal, or is stopped.
/// `thread` 0 means its main thread. The process goes on afterwards as before; to end it is the caller's business.
///
/// Waits at most `timeout` for the thread to stop. Fails with EPERM if tracing is forbidden (Yama's ptrace_scope, a
/// seccomp filter, a debugger that got there first), ESRCH if it is dead or being killed, ETIMEDOUT if it sits in an
/// uninterruptible system call. Any thread may call.
///
/// `process` is a pidfd of `pid`: once the thread is stopped, it tells whether the number is still that process's.
os::Result<std::shared_ptr<detail::StackImage>> stack_of_process(
    pid_t pid, const os::Fd& process, pid_t thread = 0,
    std::chrono::milliseconds timeout = std::chrono::milliseconds(200));

/// The stacks of all its threads, the main thread's first; of the others those that could be had, up to 32.
os::Result<std::vector<std::shared_ptr<detail::StackImage>>> stacks_of_process(pid_t pid, const os::Fd& process);

/// Has the main thread call a function of its own program that does not return, though it blocks every signal, or is
/// stopped. What it was doing is never finished: only for a process that will be ended.
os::Status divert_process(pid_t pid, const os::Fd& process, std::uint64_t function);

}  // namespace hotspare::death
