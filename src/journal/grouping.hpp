#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace hotspare::journal {

/// How long the next commit may wait for more records, ns. A commit costs some 30 µs of processor time: for each of a stream
/// of short tasks that would be felt. settled: records that are there. outstanding: tasks not yet settled. ns_per_task: how
/// quickly they settle.
constexpr std::int64_t linger_ns(std::size_t settled, std::size_t outstanding, std::int64_t ns_per_task) {
  constexpr std::size_t group = 8;    // from here on a commit's price is divided enough
  constexpr std::size_t enough = 32;  // so many tasks keep workers busy meanwhile, and the reader does not wait for one
  constexpr std::int64_t longest = 5'000'000;
  if (settled >= group || outstanding < enough || ns_per_task > longest / 2) return 0;
  return std::min(longest, static_cast<std::int64_t>(group - settled) * ns_per_task);
}

}  // namespace hotspare::journal
