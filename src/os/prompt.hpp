#pragma once

#include <cstdint>

namespace hotspare::os {

/// Asks the scheduler to run this thread soon after it is woken, even where a process that is busy dying has the CPU: by
/// a slice of 0.1 ms (the shortest there is), which makes its deadlines the earliest. Needs no privilege and gives no
/// more CPU time than before. Linux 6.12; before that it changes nothing, and neither does a refusal.
class Prompt {
 public:
  Prompt() noexcept;
  /// The slice is again what it was.
  void end() noexcept;

 private:
  std::uint32_t policy_ = 0;
  std::int32_t nice_ = 0;
  std::uint64_t before_ns_ = 0;
  bool asked_ = false;
};

}  // namespace hotspare::os
