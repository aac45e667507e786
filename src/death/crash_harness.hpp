#pragma once

// For tests: makes a child die for real, and hands over what its crash handler saved.

#include "death/stack_image.hpp"
#include "worker/stack_capture.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>

namespace hotspare::death::testing {

/// Memory that parent and child share; zero at first.
template <class T>
class Shared {
 public:
  Shared()
      : memory_(
            static_cast<T*>(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  ~Shared() { ::munmap(memory_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T* operator->() const { return memory_; }
  T& operator*() const { return *memory_; }

 private:
  T* memory_;
};

struct CrashSite {
  worker::StackRecord record;
  std::uint64_t fault_address;
  int signal;
  int code;
};

inline CrashSite* crash_site = nullptr;

inline void on_crash(int signal, siginfo_t* info, void* context) {
  crash_site->signal = signal;
  crash_site->code = info->si_code;
  crash_site->fault_address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  worker::capture_here(static_cast<const ucontext_t*>(context), crash_site->record);
  ::signal(signal, SIG_DFL);  // to return is to die of it: the instruction runs again
  ::raise(signal);
}

/// Gives the calling thread a stack for its handlers. Small on purpose.
inline void use_alternate_stack() {
  constexpr std::size_t kSize = 64 * 1024;
  stack_t stack{};
  stack.ss_sp = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  stack.ss_size = kSize;
  ::sigaltstack(&stack, nullptr);
}

inline void install_handlers() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  use_alternate_stack();
  struct sigaction action {};
  action.sa_sigaction = on_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) ::sigaction(signal, &action, nullptr);
}

struct Crash {
  std::shared_ptr<detail::StackImage> image;
  std::uint64_t fault_address = 0;
  int signal = 0;
  int code = 0;
  int wait_status = 0;
  pid_t pid = 0;
};

/// Runs `work` in a child that is meant to die in it.
template <class Work>
Crash crash_in_child(Work work) {
  Shared<CrashSite> site;
  const pid_t pid = ::fork();
  if (pid == 0) {
    crash_site = &*site;
    install_handlers();
    work();
    ::_exit(0);
  }
  Crash crash{nullptr, 0, 0, 0, 0, pid};
  EXPECT_EQ(::waitpid(pid, &crash.wait_status, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(crash.wait_status));
  crash.image = from_record(site->record);
  crash.fault_address = site->fault_address;
  crash.signal = site->signal;
  crash.code = site->code;
  return crash;
}

/// Index of the first frame whose function contains `text`, -1 if none does.
inline int index_of(const std::vector<Frame>& frames, const std::string& text) {
  const auto at = std::find_if(frames.begin(), frames.end(),
                               [&](const Frame& f) { return f.function.find(text) != std::string::npos; });
  return at == frames.end() ? -1 : static_cast<int>(at - frames.begin());
}

inline void expect_no_zombie() { EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left"; }

}  // namespace hotspare::death::testing

/// A function that must stay a frame of its own, and may do what sanitizers object to.
#define CRASH_FUNCTION __attribute__((noinline, no_sanitize("undefined", "address")))
