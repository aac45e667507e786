#pragma once

#include "python.hpp"

#include <hotspare/detail/standby_core.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hotspare::python {

/// A standby channel as Python sees it: blocks are objects with a buffer. All functions need the GIL, and let go of it while
/// they wait. What is refused because of its form is said by the Python half (hotspare._blocks.Form).
class CoreStandby {
 public:
  /// Returns when all replicas are in step.
  CoreStandby(const nb::dict& options, const nb::bytes& arguments);
  ~CoreStandby();
  CoreStandby(const CoreStandby&) = delete;
  CoreStandby& operator=(const CoreStandby&) = delete;

  /// True: a replica answered. timeout and deadline: seconds or None; neither: one period.
  bool process(nb::handle block, nb::handle out, nb::handle timeout, nb::handle deadline);
  nb::dict stats() const;
  std::vector<std::int64_t> replica_pids() const;
  bool wait_in_step(unsigned replicas) const;
  std::int64_t strike(std::string_view how);
  std::string broken() const;

  /// Waits for the block that is being processed, then until nothing is left. Any number of times.
  void close();
  /// Returns at once; the first call's on_gone() is called when nothing is left, on a thread of its own. Without threads to be
  /// had: on this one, which waits for that; it raises, and nothing has happened, where that would be for ever.
  void close_in_background(nb::object on_gone);
  bool closed() const;
  /// This thread is in process(): in a signal handler, then.
  bool in_process_here() const;
  /// False in a fork of the process that made it.
  bool in_host() const;

 private:
  struct Inner;
  class Turn;
  /// For this call of the user's; raises RuntimeError in a fork of the host. Null: closed.
  std::shared_ptr<detail::StandbyCore> core(const char* call) const;
  void must_be_host(const char* call) const;
  /// The channel cannot be gone before this thread goes on.
  bool keeps_it_open() const;

  std::shared_ptr<Inner> inner_;  ///< Lives on in a thread that closes it in the background.
};

void define_standby(nb::module_& module);

}  // namespace hotspare::python
