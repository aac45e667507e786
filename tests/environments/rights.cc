#include "situation.hpp"
#include "support/refuse_calls.hpp"

#include <cerrno>
#include <pthread.h>
#include <string>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hotspare::testing {
namespace {

void hide_processes() {
  own_mounts();
  need(::mount("proc", "/proc", "proc", 0, "hidepid=2"), "mounting /proc with hidepid=2");
  become_nobody();
}

/// What such lists refuse besides what is newer than they are.
Refusal container_refuses() {
  Refusal refusal;
  refusal.error = EPERM;
  for (const long call : {SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_bpf, SYS_perf_event_open, SYS_keyctl,
                          SYS_kcmp, SYS_userfaultfd, SYS_quotactl, SYS_reboot})
    refusal.calls.push_back(static_cast<unsigned>(call));
  return refusal;
}
void refuse_clone3(int error) {
  Refusal refusal;
  refusal.error = error;
  add_call(refusal, "clone3");
  refuse_calls(refusal);
}

/// clone3 is ENOSYS there, so that the C library uses clone.
void container_now() {
  refuse_clone3(ENOSYS);
  refuse_calls(container_refuses());
}

void container_of_2021() {
  refuse_clone3(ENOSYS);
  Refusal refusal = container_refuses();
  refusal.all_from = 442;  // epoll_pwait2 is the last that its list knows
  refuse_calls(refusal);
}

void* nothing(void* /*unused*/) { return nullptr; }

/// With EPERM, as lists before October 2021 have it, glibc from 2.34 on starts no thread.
void new_calls_eperm() {
  Refusal refusal;
  refusal.error = EPERM;
  add_call(refusal, "newer");
  refuse_calls(refusal);
  pthread_t thread{};
  if (::pthread_create(&thread, nullptr, nothing, nullptr) != 0) return;
  ::pthread_join(thread, nullptr);
  skip("this C library starts threads without clone3");
}

const Situation table[] = {
    {.name = "not_root",
     .what = "a user without rights",
     .told = "Works.",
     .make = become_nobody,
     .stacks = under_sanitizer() ? Stacks::any : Stacks::there},
    {.name = "rights_dropped",
     .what = "root gives up its rights when the pool is there",
     .told = "Works: who may signal the workers is asked to. Workers keep the rights that the pool was made with.",
     .make = [] {},
     .meanwhile = [](Pool& /*pool*/) { become_nobody(); }},
    {.name = "processes_hidden",
     .what = "others' processes hidden (`hidepid=2`)",
     .told = "Works.",
     .make = hide_processes,
     .stacks = under_sanitizer() ? Stacks::any : Stacks::there},
    {.name = "container_now",
     .what = "a container's filter as it is now (Docker: `clone3` is ENOSYS, what needs rights EPERM)",
     .told = "Works.",
     .make = container_now},
    {.name = "container_of_2021",
     .what = "a container's filter of late 2021 (all that is newer than Linux 5.11 is EPERM)",
     .told = "Works; says that `futex_waitv` is missing.",
     .make = container_of_2021,
     .with_fork = {Expected::says, "futex_waitv"},
     .with_exec = {Expected::says, "futex_waitv"}},
    {.name = "new_calls_eperm",
     .what = "a filter that answers EPERM to all calls newer than Linux 4.18 (Docker before 20.10.10)",
     .told = "Refuses: glibc from 2.34 on starts no thread there.",
     .make = new_calls_eperm,
     .with_fork = {Expected::refuses, "clone3"},
     .with_exec = {Expected::refuses, "clone3"}},
};

}  // namespace

std::span<const Situation> rights_situations() { return table; }

}  // namespace hotspare::testing
