#pragma once

#include "os/owner.hpp"

namespace hotspare::os {

/// While one lives, those of the numbers 0 to 2 that the program has closed stay as good as closed, and free for nobody: what is
/// opened meanwhile, here or in a library, does not land there even for the moment until Fd moves it up, in which another
/// thread's output would go into a socket or a channel's memory. What stands there can be neither read nor written (O_PATH:
/// EBADF, as of a closed number), ends with an exec, and gives way to close() and dup2(). A fork of this process has none.
/// Where it cannot be had, the moment stays. Threads: any; several in a process share what is held.
class ClosedStreams {
 public:
  /// Throws std::bad_alloc.
  ClosedStreams();
  ~ClosedStreams();
  ClosedStreams(const ClosedStreams&) = delete;
  ClosedStreams& operator=(const ClosedStreams&) = delete;

 private:
  const Owner owner_;
};

/// The same for the rest of this process's life: of one that is ours.
void keep_closed_streams() noexcept;

}  // namespace hotspare::os
