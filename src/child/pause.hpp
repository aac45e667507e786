#pragma once

#include <algorithm>
#include <cstdint>

namespace hotspare::child {

/// When to try again what the kernel has refused: after each refusal in a row twice as long later. Times: ns of
/// CLOCK_MONOTONIC.
class Pause {
 public:
  static constexpr std::int64_t first_ns = 2'000'000;
  static constexpr std::int64_t most_ns = 250'000'000;

  void refused(std::int64_t now) {
    if (since_ == 0) since_ = now;
    length_ = std::clamp(2 * length_, first_ns, most_ns);
    until_ = now + length_;
  }
  void succeeded() { *this = Pause(); }
  /// From now on it may be tried.
  void over() { until_ = 0; }
  /// 0: nothing is waited for.
  std::int64_t until() const { return until_; }
  /// When the first refusal of this row was; 0: the last try succeeded.
  std::int64_t since() const { return since_; }

 private:
  std::int64_t length_ = 0;
  std::int64_t until_ = 0;
  std::int64_t since_ = 0;
};

}  // namespace hotspare::child
