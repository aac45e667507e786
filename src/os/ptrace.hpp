#pragma once

#include "os/registers.hpp"
#include "os/result.hpp"

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace hotspare::os {

/// A thread of another process, stopped by us, whatever it does: signals that it blocks or ignores, and SIGSTOP, make
/// no difference. Goes on (or back to its stop) when this is destroyed.
///
/// WARNING: the kernel knows the tracing *thread*: make, use and destroy it within one call of in_tracer_process().
class StoppedThread {
 public:
  /// EPERM: we may not trace it (Yama, a seccomp filter, another tracer). ESRCH: it is dead or dying. ETIMEDOUT: it did
  /// not stop, as a thread within an uninterruptible system call won't.
  static Result<StoppedThread> stop(pid_t thread, std::chrono::milliseconds timeout);
  StoppedThread(StoppedThread&& other) noexcept;
  StoppedThread& operator=(StoppedThread&&) = delete;
  ~StoppedThread();

  Result<Registers> registers() const;
  /// When it is let go it calls this function of its own program, without arguments, as if a signal handler did; it must
  /// not return. What the thread was doing is never finished.
  Status divert(std::uint64_t function);

 private:
  StoppedThread(pid_t thread, int signal) : thread_(thread), signal_(signal) {}
  pid_t thread_;
  int signal_;  // that it was about to receive when it stopped; passed on when it is let go
};

/// Runs `work` in a process made for it that shares our memory and descriptors, with all signals blocked, and waits for it.
/// A process of its own, because the stops of what it traces are told to all threads of a process: a waitpid(-1) of the
/// program's would take them. Its end is what cleans up behind a tracee that died or never stopped: the kernel then hands a
/// zombie over to its real parent, so no exit status is lost.
/// WARNING: `work` must not throw, and runs as the calling thread: locks that this holds it holds, too.
Status in_tracer_process(const std::function<void()>& work);

/// Kernel ids of the process's threads, at most so many, its main thread first.
std::vector<pid_t> threads_of(pid_t pid, std::size_t most);

/// The lines of /proc/PID/task/TID/maps with execute permission, and the first writable mapping that ends above `sp`.
/// `pid` 0 means the calling thread.
struct MapsOf {
  std::string executable;
  std::uint64_t stack_low = 0;
  std::uint64_t stack_high = 0;
};
Result<MapsOf> maps_of(pid_t pid, pid_t thread = 0, std::uint64_t sp = 0);

}  // namespace hotspare::os
