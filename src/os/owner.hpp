#pragma once

#include <cstdint>

namespace hotspare::os {

/// The process that made an object. A fork has the object's memory, but what it shares with others is not its own: it must
/// not give it back, write it, or wait for those who do. Holds however the fork was made, clone() included.
/// Threads: any. is_this() is async-signal-safe.
class Owner {
 public:
  /// This process.
  Owner();
  bool is_this() const noexcept;

 private:
  std::uint64_t process_;
};

/// Grows with each fork() of this process, before and after it: what was handed out at another value than today's may be
/// in the hands of a fork, too. Children made by clone() or vfork() alone are not counted.
std::uint64_t forks_so_far();

}  // namespace hotspare::os
