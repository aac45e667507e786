#pragma once

#include <string>
#include <vector>

namespace hotspare::os {

/// What the kernel gives to some processes only: it is too old, or a filter (seccomp) refuses it.
enum class Missing : unsigned char {
  wait_any,   ///< futex_waitv, Linux 5.16.
  pidfd,      ///< pidfd_open, Linux 5.3, and pidfd_send_signal, Linux 5.1.
  memfd,      ///< memfd_create, Linux 3.17.
  trace,      ///< ptrace.
  slices,     ///< sched_setattr, Linux 3.14.
  proc,       ///< /proc.
  one_alone,  ///< That for lack of memory the kernel ends one process alone.
  count
};

/// What is missing now, found out by asking for nothing. A filter may take more away later.
std::vector<Missing> missing();
/// Names the call and says what is lost without it, for people.
const char* cost_of(Missing what) noexcept;

/// To be added to what is said of a thread or a process that could not be started; empty: nothing special.
std::string why_nothing_starts();

}  // namespace hotspare::os
