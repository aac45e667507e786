#pragma once

#include "os/fd.hpp"
#include "os/result.hpp"

#include <memory>

namespace hotspare::os {

class Spinners;

/// While it lives no core sleeps so deeply that waking it takes time. By /dev/cpu_dma_latency where the kernel chooses how deeply
/// they sleep. Where a hypervisor does, as in most virtual machines, the kernel ignores that: there a thread of idle priority
/// (SCHED_IDLE) spins on each core that this process may use. It shows as load, and takes time from nobody in its scheduling
/// group; other groups (sessions with autogroup, containers) share the cores with it as with any thread of this process. Nothing
/// at a real-time priority notices it. The threads are shared by all that live in this process.
class AwakeCores {
 public:
  static Result<AwakeCores> make();
  AwakeCores() noexcept = default;
  /// The second way.
  bool spins() const noexcept { return spinners_ != nullptr; }

 private:
  Fd latency_;
  std::shared_ptr<const Spinners> spinners_;
};

}  // namespace hotspare::os
