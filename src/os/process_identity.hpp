#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace hotspare::os {

/// A process, told from all others that had its number or will have it.
struct ProcessIdentity {
  pid_t pid = 0;
  std::uint64_t started = 0;  ///< Field 22 of /proc/PID/stat: clock ticks since the machine started.
  /// Inode of the PID namespace in which pid is its number. WARNING: from within another one nothing can be said of it.
  std::uint64_t pid_namespace = 0;
  bool operator==(const ProcessIdentity&) const = default;
};

/// Field 22 of the text of a /proc/PID/stat; 0: that is none.
std::uint64_t start_time_in(std::string_view stat);
/// Of a process that runs or is a zombie; 0: there is none of this number.
std::uint64_t start_time_of(pid_t pid);
ProcessIdentity own_identity();

enum class Life : unsigned char { lives, ended, unknown };
/// unknown: its number is that of another PID namespace. A zombie has ended.
Life life_of(const ProcessIdentity& process);

/// The name of its program, as in /proc/PID/comm; empty: there is no such process.
std::string command_of(pid_t pid);
std::vector<pid_t> all_processes();

}  // namespace hotspare::os
