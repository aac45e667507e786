#include "os/ptrace.hpp"

#include <dirent.h>
#include <elf.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdlib>
#include <memory>
#include <utility>

namespace hotspare::os {
namespace {

constexpr int kStopEvent = PTRACE_EVENT_STOP;

std::string call_of(const char* name, pid_t thread) { return std::string(name) + "(" + std::to_string(thread) + ")"; }

/// Waits until `thread` has stopped; its status, 0 when time is up, -1 when it is dead. A dead thread's status is looked
/// at, never taken.
/// No kernel object tells of a ptrace stop but SIGCHLD, which is the host's own; so this asks again and again, at first
/// without a pause, for a thread stops within some 20 µs.
int wait_for_stop(pid_t thread, std::chrono::milliseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  timespec pause{0, 10'000};
  for (;;) {
    siginfo_t info{};
    constexpr int kLook = WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL;
    const int asked = ::waitid(P_PID, static_cast<id_t>(thread), &info, kLook);
    if (asked < 0 && errno != EINTR) return -1;
    if (asked == 0 && info.si_pid == thread) {
      if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED) return -1;
      // It may have been killed between the two looks: WNOHANG, so that this can't wait; its zombie is untouched.
      info = {};
      if (::waitid(P_PID, static_cast<id_t>(thread), &info, WSTOPPED | WNOHANG | __WALL) < 0) return -1;
      if (info.si_pid != thread) return -1;
      return info.si_status;
    }
    if (std::chrono::steady_clock::now() >= end) return 0;
    ::nanosleep(&pause, nullptr);  // style: no event tells of the stop, see above
    pause.tv_nsec = std::min<long>(pause.tv_nsec * 2, 1'000'000);
  }
}

#if defined(__SANITIZE_THREAD__)
#define HOTSPARE_TOOL_TAKES_CLONE_FOR_FORK
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HOTSPARE_TOOL_TAKES_CLONE_FOR_FORK
#endif
#endif
#ifdef HOTSPARE_TOOL_TAKES_CLONE_FOR_FORK
// Its clone() takes the child for a fork, and forgets in the memory that both share what all other threads have done.
extern "C" int __clone(int (*)(void*), void*, int, void*, ...);
constexpr auto clone_in_our_memory = __clone;
#else
constexpr auto clone_in_our_memory = ::clone;
#endif

extern "C" int run_work(void* work) {
  (*static_cast<const std::function<void()>*>(work))();
  ::syscall(SYS_exit_group, 0);  // a tool's _exit() would end what it keeps in the memory that is also the host's
  __builtin_unreachable();
}

}  // namespace

Result<StoppedThread> StoppedThread::stop(pid_t thread, std::chrono::milliseconds timeout) {
  if (::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0) return failed(call_of("ptrace(PTRACE_SEIZE)", thread));
  if (::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) != 0) {
    return failed(call_of("ptrace(PTRACE_INTERRUPT)", thread));
  }
  const int status = wait_for_stop(thread, timeout);
  if (status < 0) return Failure{ESRCH, call_of("waitid", thread)};
  if (status == 0) return Failure{ETIMEDOUT, call_of("waitid", thread)};
  // A stop of ours carries the event in the high byte; anything else is a signal on its way to the thread.
  const bool ours = (status >> 8) == kStopEvent;
  return StoppedThread(thread, ours ? 0 : status & 0xff);
}

StoppedThread::StoppedThread(StoppedThread&& other) noexcept
    : thread_(std::exchange(other.thread_, 0)), signal_(other.signal_) {}

StoppedThread::~StoppedThread() {
  if (thread_ != 0) ::ptrace(PTRACE_DETACH, thread_, nullptr, static_cast<std::intptr_t>(signal_));
}

Result<Registers> StoppedThread::registers() const {
  KernelRegisters raw{};
  iovec io{&raw, sizeof raw};
  if (::ptrace(PTRACE_GETREGSET, thread_, reinterpret_cast<void*>(std::intptr_t{NT_PRSTATUS}), &io) != 0) {
    return failed(call_of("ptrace(PTRACE_GETREGSET)", thread_));
  }
  return registers_of(raw);
}

Status StoppedThread::divert(std::uint64_t function) {
  KernelRegisters raw{};
  iovec io{&raw, sizeof raw};
  void* const kind = reinterpret_cast<void*>(std::intptr_t{NT_PRSTATUS});
  if (::ptrace(PTRACE_GETREGSET, thread_, kind, &io) != 0) return failed(call_of("ptrace(PTRACE_GETREGSET)", thread_));
  point_at(raw, function);
  if (::ptrace(PTRACE_SETREGSET, thread_, kind, &io) != 0) return failed(call_of("ptrace(PTRACE_SETREGSET)", thread_));
  return Done{};
}

std::vector<pid_t> threads_of(pid_t pid, std::size_t most) {
  std::vector<pid_t> threads{pid};
  const std::string path = "/proc/" + std::to_string(pid) + "/task";
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
  while (folder != nullptr && threads.size() < most) {
    const dirent* entry = ::readdir(folder.get());
    if (entry == nullptr) break;
    const auto thread = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    if (thread > 0 && thread != pid) threads.push_back(thread);
  }
  return threads;
}

Status in_tracer_process(const std::function<void()>& work) {
  constexpr std::size_t stack_size = 512 * 1024;
  void* const stack =
      ::mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return failed("mmap(stack of the tracer)");
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  // It inherits the mask: the host's handlers must not run in a process that the program doesn't know.
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  // As posix_spawn does it: our memory and descriptors, while this thread, whose thread-local storage it uses, sleeps until
  // it is gone. No signal tells of its end, so that no waitpid(-1) of the program finds it.
  constexpr int sharing = CLONE_VM | CLONE_VFORK | CLONE_FS | CLONE_FILES;
  const int tracer = clone_in_our_memory(run_work, static_cast<char*>(stack) + stack_size, sharing,
                                         const_cast<std::function<void()>*>(&work));
  const int error = errno;
  if (tracer > 0) retry([&] { return ::waitpid(tracer, nullptr, __WALL); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::munmap(stack, stack_size);
  if (tracer < 0) return Failure{error, "clone(tracer)"};
  return Done{};
}

Result<MapsOf> maps_of(pid_t pid, pid_t thread, std::uint64_t sp) {
  const std::string path = pid == 0 ? "/proc/thread-self/maps"
                                    : "/proc/" + std::to_string(pid) + "/task/" + std::to_string(thread) + "/maps";
  const std::unique_ptr<FILE, int (*)(FILE*)> file(::fopen(path.c_str(), "re"), ::fclose);
  if (!file) return failed("fopen(\"" + path + "\")");
  MapsOf result;
  char* line = nullptr;
  std::size_t capacity = 0;
  ssize_t size = 0;
  while ((size = ::getline(&line, &capacity, file.get())) > 0) {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    char flags[5] = {};
    if (std::sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &low, &high, flags) != 3) continue;
    if (flags[1] == 'w' && high > sp && result.stack_high == 0) {
      result.stack_low = low;
      result.stack_high = high;
    }
    if (flags[2] == 'x') result.executable.append(line, static_cast<std::size_t>(size));
  }
  std::free(line);
  return result;
}

}  // namespace hotspare::os
