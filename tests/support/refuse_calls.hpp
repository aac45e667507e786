#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <vector>

namespace hotspare::testing {

/// The first system call that Linux 4.18 does not have.
#if defined(__aarch64__)
inline constexpr unsigned first_after_4_18 = 294;
#else
inline constexpr unsigned first_after_4_18 = 335;
#endif

struct Refusal {
  std::vector<unsigned> calls;
  unsigned all_from = 0;  ///< These, too; 0: none.
  int error = ENOSYS;
};

/// From now on this thread, and all that it starts, is refused these calls, as an old kernel or a container does.
inline void refuse_calls(const Refusal& refusal) {
  std::vector<sock_filter> filter{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  const auto refuse_if = [&](unsigned condition, unsigned call) {
    filter.push_back(BPF_JUMP(BPF_JMP | condition | BPF_K, call, 0, 1));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(refusal.error)));
  };
  for (const unsigned call : refusal.calls) refuse_if(BPF_JEQ, call);
  if (refusal.all_from != 0) refuse_if(BPF_JGE, refusal.all_from);
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0) return;
  std::perror("prctl(PR_SET_SECCOMP)");
  std::exit(77);  // ctest: skipped
}

/// Adds the call of that name ("newer": all that Linux 4.18 does not have). False: it is not known here.
inline bool add_call(Refusal& refusal, std::string_view name) {
  struct Named {
    std::string_view name;
    unsigned number;
  };
  static constexpr Named known[] = {
      {"futex_waitv", 449},
      {"pidfd_open", 434},
      {"pidfd_send_signal", 424},
      {"clone3", 435},
      {"close_range", 436},
      {"ptrace", SYS_ptrace},
      {"process_vm_readv", SYS_process_vm_readv},
      {"memfd_create", SYS_memfd_create},
      {"sched_setattr", SYS_sched_setattr},
      {"sched_getattr", SYS_sched_getattr},
      {"statx", SYS_statx},
      {"membarrier", SYS_membarrier},
      {"kcmp", SYS_kcmp},
  };
  if (name == "newer") {
    refusal.all_from = first_after_4_18;
    return true;
  }
  for (const Named& each : known) {
    if (each.name != name) continue;
    refusal.calls.push_back(each.number);
    return true;
  }
  return false;
}

}  // namespace hotspare::testing
