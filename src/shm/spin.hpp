#pragma once

#include "os/clock.hpp"

#include <algorithm>
#include <cstdint>

namespace hotspare::shm {

/// How long to look at a busy word before sleeping: a wake costs 5 to 50 µs, a look 0.1. Spins only where another core
/// can change the word, and only as long as spinning has paid lately. Threads: one.
class SpinBudget {
 public:
  static constexpr std::int64_t longest_ns = 27'000;  ///< Beyond that a sleep is cheaper (bench/RESULTS.md).

  explicit SpinBudget(bool has_other_core) : allowed_(has_other_core) {}

  template <class Condition>
  bool spin_until(Condition there) {
    if (there()) return true;
    if (!allowed_ || credit_ <= 0) {
      // Now and then one more try, so that a change of traffic is noticed.
      if (!allowed_ || ++skipped_ < 16) return false;
      skipped_ = 0;
    }
    const std::int64_t start = os::monotonic_ns();
    for (;;) {
      for (int i = 0; i < 32; ++i) {
        if (there()) {
          credit_ = std::min(credit_ + 2, 8);
          return true;
        }
        os::cpu_relax();
      }
      if (os::monotonic_ns() - start > longest_ns) break;
    }
    credit_ = std::max(credit_ - 1, 0);
    return false;
  }

 private:
  bool allowed_;
  int credit_ = 4;
  int skipped_ = 0;
};

}  // namespace hotspare::shm
