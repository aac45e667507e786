#pragma once

#include "python.hpp"

#include <hotspare/detail/interruptible.hpp>

#include <chrono>
#include <optional>

namespace hotspare::python {

/// On the main thread, where Python's signal handlers run: a signal ends the engine's waits of this thread while it lives,
/// and handlers run; what they raise ends the wait. Elsewhere it does nothing.
///
/// Python's own handler only notes that a signal came. Should that happen between a look at the note and the sleep, no
/// system call is interrupted. So while this lives, the note goes to a descriptor of ours (that of
/// signal.set_wakeup_fd), too, where a thread reads it, interrupts the wait, and passes it on to the program's descriptor.
class SignalWatch {
 public:
  /// With the GIL. Raises what handlers raise that were due already.
  SignalWatch();
  /// With the GIL.
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  void interrupt() { wait_->interrupt(); }
  SignalWatch* outer() const { return outer_; }

 private:
  void begin();
  void end() noexcept;

  std::optional<detail::Interruptible> wait_;  ///< Of the main thread.
  int programs_ = -1;                          ///< The descriptor that was the program's.
  SignalWatch* outer_ = nullptr;
};

/// A call that waits is mostly over before this. Longer ones are worth the few µs that a SignalWatch costs.
constexpr std::chrono::microseconds short_wait{100};

/// For a call that waits: others may run meanwhile, and signals end it.
class Waiting {
 public:
  Waiting() = default;

 private:
  SignalWatch watch_;
  WithoutGil others_may_run_;
};

void define_signal_watch(nb::module_& module);

}  // namespace hotspare::python
