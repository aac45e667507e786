#pragma once

#include <string>

namespace hotspare::death {

/// Opens when so many workers in a row died before their first task: then the next would die as well, and the pool says
/// why instead of forking for ever. Data, not code: one number against another.
class Breaker {
 public:
  explicit Breaker(unsigned most) : most_(most) {}
  void worker_ready() { in_a_row_ = 0; }
  /// True when this death opens it.
  bool died_before_ready() { return ++in_a_row_ >= most_; }
  unsigned in_a_row() const { return in_a_row_; }

 private:
  unsigned most_;
  unsigned in_a_row_ = 0;
};

}  // namespace hotspare::death
