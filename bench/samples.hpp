#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace bench {

/// Measured values, and what is said about them.
class Samples {
 public:
  void add(double value) { values_.push_back(value); }
  std::size_t size() const { return values_.size(); }

  /// Nearest rank: the smallest value that at least p % of all do not exceed. 0 when there are none.
  double percentile(double p) const {
    if (values_.empty()) return 0;
    std::vector<double> sorted = values_;
    std::sort(sorted.begin(), sorted.end());
    const double rank = std::ceil(p / 100 * static_cast<double>(sorted.size()));
    return sorted[std::clamp<std::size_t>(static_cast<std::size_t>(rank), 1, sorted.size()) - 1];
  }
  double p50() const { return percentile(50); }
  double p99() const { return percentile(99); }

 private:
  std::vector<double> values_;
};

}  // namespace bench
