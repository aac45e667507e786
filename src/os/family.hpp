#pragma once

#include <sys/types.h>
#include <vector>

namespace hotspare::os {

/// Children of all threads of a process that live or are zombies.
std::vector<pid_t> children_of(pid_t pid);
/// What descends from a process, it itself not: by way of parents that live, and what is in its process group although its
/// parent is gone and `adopter` has it.
std::vector<pid_t> family_of(pid_t pid, pid_t adopter);
/// SIGKILL for all that descend from it, not for it itself. Each is still a relative when it is hit: numbers that were given
/// to others meanwhile are left alone.
void kill_family_of(pid_t pid, pid_t adopter) noexcept;

/// SIGKILL for what is still in the process group of one that has exited and that nobody is left to clear up after. Nothing,
/// if another process leads a group of that number by now.
void kill_group_left_by(pid_t leader) noexcept;

}  // namespace hotspare::os
