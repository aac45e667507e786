#pragma once

#include "python.hpp"

#include <condition_variable>
#include <mutex>

namespace hotspare::python {

/// threading.Event, but no signal is missed by who waits for it: see signal_watch.hpp. Any thread, with the GIL.
class Bell {
 public:
  void ring();
  void clear();
  /// False when the time (seconds; negative: for ever) has passed. Raises what a signal handler raises.
  bool wait(double seconds);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool rung_ = false;
};

void define_bell(nb::module_& module);

}  // namespace hotspare::python
