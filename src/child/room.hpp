#pragma once

#include <cstddef>
#include <string>

namespace hotspare::child {

/// What a host of so many processes holds open: for each its pidfd, its lifeline, its pipe and its socket.
constexpr std::size_t descriptors_for(std::size_t processes) { return 20 + 4 * processes; }

/// How many may be asked for where this is the limit of descriptors: a quarter is the program's own.
constexpr std::size_t most_processes(std::size_t limit) {
  const std::size_t ours = limit / 4 * 3;
  return ours < descriptors_for(0) ? 0 : (ours - descriptors_for(0)) / (descriptors_for(1) - descriptors_for(0));
}
static_assert(most_processes(1024) == 187 && most_processes(0) == 0 && most_processes(40) == 2);

/// Empty, or why so many are too many.
inline std::string why_no_room(std::size_t processes, std::size_t limit) {
  if (processes <= most_processes(limit)) return {};
  return std::to_string(processes) + " workers and spares need " + std::to_string(descriptors_for(processes)) +
         " descriptors of this process, which may open " + std::to_string(limit) +
         " (RLIMIT_NOFILE) and needs a quarter of them itself: " + std::to_string(most_processes(limit)) +
         " fit. Raise the limit (ulimit -n), or ask for fewer";
}

}  // namespace hotspare::child
