#pragma once

#include "python.hpp"

#include <hotspare/detail/task_ref.hpp>

namespace hotspare::python {

/// One submitted task as Python sees it. All functions need the GIL.
class CoreTask {
 public:
  explicit CoreTask(detail::TaskRef task) : task_(std::move(task)) {}

  bool settled() const { return detail::is_ready(*task_); }
  /// False when the time (seconds; negative: for ever) has passed. Raises what a signal handler raises.
  bool wait(double seconds) const;
  /// The outcome, of a settled task: (ended, payload), see hotspare._future.
  nb::tuple outcome() const;
  bool cancel(bool kill) const { return detail::cancel(task_, kill); }
  bool running() const { return detail::has_begun(task_); }
  std::uint64_t id() const { return detail::task_id(*task_); }
  const detail::TaskRef& task() const { return task_; }

 private:
  detail::TaskRef task_;
};

void define_task(nb::module_& module);

}  // namespace hotspare::python
