#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace hotspare::os {

/// Resident memory of a process that it shares with no file or segment, bytes (in a fork: also what it still shares with
/// its parent). 0: no such process. Of this process with pid 0.
std::uint64_t private_resident(pid_t pid) noexcept;

/// What this process and its children may still take, bytes: what the machine has available, or the tightest cgroup (v1
/// or v2) leaves. root: of the file system; "" but in tests.
std::uint64_t available_memory(const std::string& root = "");

}  // namespace hotspare::os
