#include "os/process_state.hpp"

#include "os/fd.hpp"
#include "os/process.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace hotspare::os {
namespace {

/// Of a process with some idle threads beside its main one. How often it looked as if it outlived its main thread until it had
/// exited.
int looks_alive(const std::function<void()>& end_it) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (int i = 0; i < 6; ++i) std::thread([] { ::pause(); }).detach();
    end_it();
    ::pause();
  }
  const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  int looked_alive = 0;
  while (!exited(pidfd)) looked_alive += outlives_its_main_thread(pid) ? 1 : 0;
  ::waitpid(pid, nullptr, 0);
  return looked_alive;
}

TEST(ProcessState, WhatDiesOfASignalDoesNotOutliveItsMainThread) {
  for (const int signal : {SIGKILL, SIGSEGV, SIGTERM})
    for (int round = 0; round < 30; ++round) {
      EXPECT_EQ(looks_alive([signal] {
                  std::signal(signal, SIG_DFL);
                  ::raise(signal);
                }),
                0)
          << signal;
    }
}

TEST(ProcessState, NorDoesWhatExits) {
  for (const int code : {0, 3})
    for (int round = 0; round < 30; ++round) EXPECT_EQ(looks_alive([code] { ::_exit(code); }), 0) << code;
}

TEST(ProcessState, WhoseMainThreadAloneEndedIsTold) {
  for (const int code : {0, 9}) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      std::thread([] { ::pause(); }).detach();
      ::syscall(SYS_exit, code);  // of this thread; no signal
    }
    while (!outlives_its_main_thread(pid)) ::sched_yield();  // ctest's time limit is the watchdog
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
}

}  // namespace
}  // namespace hotspare::os
