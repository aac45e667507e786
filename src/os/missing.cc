#include "os/missing.hpp"

#include "os/futex.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <fcntl.h>
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

/// There is no process 0 to be traced.
bool can_trace() noexcept { return fails_with(::ptrace(PTRACE_CONT, 0, nullptr, nullptr), ESRCH); }

bool has_slices() noexcept { return fails_with(::syscall(SYS_sched_setattr, 0, nullptr, 0), EINVAL); }

struct Way {
  bool (*is_there)() noexcept;
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
    {can_trace, "ptrace is not to be had (a filter refuses it): reports of hung processes have no stack"},
    {has_slices,
     "sched_setattr is not to be had (a filter refuses it): on a busy machine a spare may wait for its turn to run"},
}};

}  // namespace

std::vector<Missing> missing() {
  std::vector<Missing> all;
  for (std::size_t i = 0; i < ways.size(); ++i)
    if (!ways[i].is_there()) all.push_back(static_cast<Missing>(i));
  return all;
}

const char* cost_of(Missing what) noexcept { return ways[static_cast<std::size_t>(what)].cost; }

}  // namespace hotspare::os
