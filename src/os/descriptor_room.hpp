#pragma once

#include <cstdint>

namespace hotspare::os {

/// From now on this process may have as many descriptors open as it may allow itself (the hard RLIMIT_NOFILE). For forks of a
/// program that had no descriptor free when they were made: theirs stay open, whatever the program closes later.
class DescriptorRoom {
 public:
  DescriptorRoom() noexcept;
  /// In a child that is the program's again: as the program had it.
  void give_back() const noexcept;

 private:
  std::uint64_t before_ = 0;  ///< 0: nothing was changed.
};

}  // namespace hotspare::os
