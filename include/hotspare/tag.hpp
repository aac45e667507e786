#pragma once

#include <chrono>

namespace hotspare {

/// What holds for all tasks of a pool that carry a tag. Those that must wait hold up no others.
struct TagLimits {
  /// So many run at the same time, at most; 0: any number.
  unsigned at_once = 0;
  /// So many begin within any second, at most; 0: any number.
  unsigned per_second = 0;
  /// Failures in a row (deaths and exceptions; an attempt that is made again counts) after which none begins for the length of
  /// breaker_pause; then one does, and if it succeeds all may again. 0: no such breaker.
  unsigned breaker_failures = 0;
  std::chrono::nanoseconds breaker_pause = std::chrono::seconds(10);
};

}  // namespace hotspare
