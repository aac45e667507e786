#pragma once

#include <gtest/gtest.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

/// Kernels that refuse to make processes, for real.
namespace hotspare::testing {

/// From now on the kernel refuses this thread, and all that come from it, a new process, for good. Threads they may have.
inline void refuse_processes() {
  constexpr unsigned char allow = 0;
  constexpr auto offset = [](std::size_t at) { return static_cast<unsigned>(at); };
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset(offsetof(seccomp_data, nr))),
#ifdef SYS_fork
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fork, 5, allow),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_vfork, 4, allow),
#endif
      // What clone3 is to do lies in memory, where a filter cannot look: without it the C library takes clone.
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 4, allow),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset(offsetof(seccomp_data, args))),  // little-endian: the lower half
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 2, allow),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{sizeof code / sizeof code[0], code};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    std::abort();
}

/// The same where it is to end again, as a preload: SIGUSR1 has the zygote refused, SIGUSR2 not any more. RLIMIT_NPROC binds
/// nobody who is root, so it must not be root.
inline void can_be_refused() {
  constexpr unsigned nobody = 65534;
  if (::geteuid() == 0) {
    if (::setresgid(nobody, nobody, nobody) != 0 || ::setresuid(nobody, nobody, nobody) != 0) std::abort();
    ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // what lies in /proc is this process's own again
  }
  const auto on_signal = [](int signal) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NPROC, &limit);
    limit.rlim_cur = signal == SIGUSR1 ? 0 : limit.rlim_max;
    ::setrlimit(RLIMIT_NPROC, &limit);
  };
  std::signal(SIGUSR1, on_signal);
  std::signal(SIGUSR2, on_signal);
}
/// What the zygote is asked from now on it does under the other limit: it handles signals before it looks at anything.
inline void allow_processes(std::int64_t zygote, bool allowed) {
  ASSERT_EQ(::kill(static_cast<pid_t>(zygote), allowed ? SIGUSR2 : SIGUSR1), 0);
}

/// Runs it in a process of its own that has no other threads; its wait status. 0: no expectation of it failed.
template <class F>
int in_child(F body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    std::fflush(nullptr);
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

}  // namespace hotspare::testing
