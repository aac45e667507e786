#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <sys/types.h>

namespace hotspare::os {

/// What a process has in memory that others may have, too, bytes. Shares: a page that n processes have counts as 1/n for
/// each, so the shares of a family of processes add up to what it takes.
struct Mapped {
  std::uint64_t anonymous = 0;        ///< Pages of no file: heap, stacks, copies of what a file or a parent had.
  std::uint64_t anonymous_alone = 0;  ///< Of these, those that no other process has.
  std::uint64_t anonymous_share = 0;
  /// Share of shared memory that is gone with the last process that has it: MAP_SHARED | MAP_ANONYMOUS, memfds, SysV
  /// segments, removed files of /dev/shm. Not the pool's own: what it is sent as arguments and leaves as results.
  std::uint64_t nameless_share = 0;
};

/// A walk over all its pages: 10 to 30 ms for 1 GB. WARNING: waits while the process changes its mappings.
/// elsewhere: nameless memory (inodes) that does not count, because others put it there.
Mapped mapped(pid_t pid, const std::set<std::uint64_t>& elsewhere, const std::string& root = "");
/// The inodes of the nameless shared memory that a process has mapped.
std::set<std::uint64_t> nameless_memory(pid_t pid, const std::string& root = "");

}  // namespace hotspare::os
