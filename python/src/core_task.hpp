#pragma once

#include "python.hpp"

#include <hotspare/detail/task_ref.hpp>

#include <cstddef>
#include <exception>
#include <span>

namespace hotspare::python {

/// One submitted task as Python sees it. All functions need the GIL.
class CoreTask {
 public:
  /// is_chunk: its results are those of several items.
  CoreTask(detail::TaskRef task, bool is_chunk) : task_(std::move(task)), is_chunk_(is_chunk) {}

  bool settled() const { return detail::is_ready(*task_); }
  /// False when the time (seconds; negative: for ever) has passed. Raises what a signal handler raises.
  bool wait(double seconds) const;
  /// The outcome, of a settled task: (ended, payload), see hotspare._future.
  nb::tuple outcome() const;
  /// Of a chunk whose worker died: what it had finished, as in outcome().
  nb::tuple salvaged() const;
  /// (done, total, note) while it runs and has told of it, else None.
  nb::object progress() const;
  /// Of a chunk: it failed before its first item began.
  bool never_ran() const;
  /// Of a chunk whose worker died: that was to make room for others.
  bool made_room() const { return detail::made_room(*task_); }
  bool cancel(bool kill) const { return detail::cancel(task_, kill); }
  bool running() const { return detail::has_begun(task_); }
  std::uint64_t id() const { return detail::task_id(*task_); }
  const detail::TaskRef& task() const { return task_; }

 private:
  nb::tuple values_of(std::span<const std::byte> parts) const;
  detail::TaskRef task_;
  bool is_chunk_;
};

/// Whether a failure was told by Python, and not by the engine in the worker.
bool told_by_python(std::span<const std::byte> bytes);
/// What the engine told, as hotspare._describe would.
nb::tuple described(const std::exception_ptr& engines);

/// (ended, payload) of a result's bytes. Raises what unpickling raises.
nb::tuple decoded_result(std::span<const std::byte> bytes, detail::Attachments& attachments);

void define_task(nb::module_& module);

}  // namespace hotspare::python
