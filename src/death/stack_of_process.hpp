#pragma once

#include "death/stack_image.hpp"
#include "os/fd.hpp"
#include "os/result.hpp"

#include <sys/types.h>

#include <chrono>
#include <memory>

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

}  // namespace hotspare::death
