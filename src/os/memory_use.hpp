#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace hotspare::os {

/// Resident memory of a process that it shares with no file or segment, bytes (in a fork: also what it still shares with
/// its parent). 0: no such process. Of this process with pid 0.
std::uint64_t private_resident(pid_t pid) noexcept;

/// What a process has in memory, bytes, by the kernel's counters (some 20 µs). All 0: no such process.
struct Resident {
  std::uint64_t anonymous = 0;  ///< As private_resident.
  std::uint64_t file = 0;
  std::uint64_t shared = 0;  ///< Segments and other memory that MAP_SHARED shares, files of tmpfs among them.
};
Resident resident(pid_t pid) noexcept;

/// What this process and its children may still take, bytes: what the machine has available, or the tightest cgroup (v1
/// or v2) leaves. root: of the file system; "" but in tests.
std::uint64_t available_memory(const std::string& root = "");
/// What this process and its children may have in all, bytes: the machine's memory, or the limit of the tightest cgroup (v1
/// or v2). root: of the file system; "" but in tests.
std::uint64_t usable_memory(const std::string& root = "");
/// Whether the kernel, for lack of memory, ends all processes of this one's cgroup together (memory.oom.group of v2). root: of
/// the file system; "" but in tests.
bool group_is_ended_whole(const std::string& root = "");

}  // namespace hotspare::os
