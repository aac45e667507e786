#include "os/missing.hpp"

#include "os/fd.hpp"
#include "os/futex.hpp"
#include "os/memory_use.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

/// A call that cannot succeed fails with this where it can be had.
bool fails_with(long result, int expected) noexcept { return result == -1 && errno == expected; }

bool has_pidfds() noexcept {
  return fails_with(::syscall(SYS_pidfd_open, 0, 0), EINVAL) &&
         fails_with(::syscall(SYS_pidfd_send_signal, -1, 0, nullptr, 0), EBADF);
}

/// A bad flag: nothing is made.
bool has_memfds() noexcept { return fails_with(::syscall(SYS_memfd_create, "", ~0u), EINVAL); }

/// As it is now: 2 leaves it to those with CAP_SYS_PTRACE, 3 to nobody.
bool yama_lets_trace() noexcept {
  const Fd file(::open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC));
  char scope = '0';
  if (!file || ::read(file.get(), &scope, 1) != 1 || scope < '2') return true;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> rights{};
  return scope == '2' && ::syscall(SYS_capget, &header, rights.data()) == 0 &&
         (rights[0].effective >> CAP_SYS_PTRACE & 1) != 0;
}

/// There is no process 0 to be traced.
bool can_trace() noexcept { return fails_with(::ptrace(PTRACE_CONT, 0, nullptr, nullptr), ESRCH) && yama_lets_trace(); }

bool has_slices() noexcept { return fails_with(::syscall(SYS_sched_setattr, 0, nullptr, 0), EINVAL); }

bool has_proc() noexcept { return ::access("/proc/self/stat", F_OK) == 0; }

bool one_alone_is_ended() { return !group_is_ended_whole(); }

struct Way {
  bool (*is_there)();  ///< May throw for want of memory.
  const char* cost;
};

constexpr std::array<Way, static_cast<std::size_t>(Missing::count)> ways{{
    {can_wait_any,
     "futex_waitv is not to be had (Linux has it from 5.16 on, and a filter may refuse it): the deaths of up to 32 "
     "processes are heard by a thread for each, those of more only when the kernel has freed a dead one's memory"},
    {has_pidfds,
     "pidfd_open or pidfd_send_signal is not to be had (Linux has them from 5.3 on, and a filter may refuse them): the "
     "parent of the processes sends signals for us and tells of their ends, a few microseconds later"},
    {has_memfds,
     "memfd_create is not to be had (a filter refuses it): shared memory lies in nameless files of /dev/shm or the "
     "temporary folder, which a process that runs wild could cut short under the host"},
    {can_trace, "ptrace is not to be had (a filter or Yama refuses it): reports of hung processes have no stack"},
    {has_slices,
     "sched_setattr is not to be had (a filter refuses it): on a busy machine a spare may wait for its turn to run"},
    {has_proc,
     "/proc is not to be had (it is not mounted): what a worker has started in a process group of its own outlives it, "
     "limits on memory do not know what a worker had before its task and see neither shared memory nor children, and "
     "reports say less"},
    {one_alone_is_ended,
     "one process alone being ended for lack of memory is not to be had (memory.oom.group is 1 in the cgroup): the "
     "kernel would end the host with all its processes. A pool without memory_budget or memory_reserve ends the newest "
     "of its large workers before"},
}};

}  // namespace

std::vector<Missing> missing() {
  std::vector<Missing> all;
  for (std::size_t i = 0; i < ways.size(); ++i)
    if (!ways[i].is_there()) all.push_back(static_cast<Missing>(i));
  return all;
}

std::string why_nothing_starts() {
  if (!fails_with(::syscall(SYS_clone3, nullptr, 0), EPERM)) return {};
  return ", as a filter (seccomp) refuses clone3 with EPERM, and the C library uses clone instead only for ENOSYS; "
         "Docker does that from 20.10.10 on";
}

const char* cost_of(Missing what) noexcept { return ways[static_cast<std::size_t>(what)].cost; }

}  // namespace hotspare::os
