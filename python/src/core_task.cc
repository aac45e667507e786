#include "core_task.hpp"

#include "buffers_at.hpp"
#include "chunk_values.hpp"
#include "payload.hpp"
#include "report.hpp"
#include "signal_watch.hpp"

#include <hotspare/error.hpp>

#include <chrono>

namespace hotspare::python {
namespace {

nb::tuple decoded(const detail::Task& task) {
  if (detail::ending(task) == detail::Ending::raised && !told_by_python(detail::result_bytes(task)))
    return nb::make_tuple("exception", described(detail::failure(task)));
  return decoded_result(detail::result_bytes(task), *detail::result_attachments(task));
}

/// Why there is no result: which kind of reason, and in words.
nb::tuple refusal_of(const detail::Task& task) {
  try {
    std::rethrow_exception(detail::failure(task));
  } catch (const QueueTimeout& error) {
    return nb::make_tuple("expired", error.what());
  } catch (const NeedsProcess& error) {
    return nb::make_tuple("needs_process", error.what());
  } catch (const std::exception& error) {
    return nb::make_tuple("refused", error.what());
  }
}

}  // namespace

bool told_by_python(std::span<const std::byte> bytes) {
  ResultHead head;
  if (bytes.size() < sizeof head) return false;
  detail::ByteSource(bytes).take(&head, sizeof head);
  return head.mark == results_mark;
}

nb::tuple described(const std::exception_ptr& engines) {
  std::string what = "an exception of an unknown kind";
  try {
    std::rethrow_exception(engines);
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
  }
  const nb::object message =
      nb::steal(PyUnicode_DecodeUTF8(what.data(), static_cast<Py_ssize_t>(what.size()), "replace"));
  return nb::make_tuple("hotspare", message, "", nb::none(), "raised by the engine in the worker, not by the task");
}

nb::tuple decoded_result(std::span<const std::byte> bytes, detail::Attachments& attachments) {
  detail::ByteSource source(bytes);
  ResultHead head;
  source.take(&head, sizeof head);
  const nb::object blocks = blocks_of(source, head.buffers, attachments);
  const std::size_t size = source.remaining();
  if (head.ended == Ended::none) return nb::make_tuple("value", nb::none());
  const char* name = head.ended == Ended::exception ? "exception" : head.ended == Ended::unread ? "unread" : "value";
  return nb::make_tuple(name, unpickle({source.view(size, 1), size}, blocks));
}

bool CoreTask::wait(double seconds) const {
  if (settled()) return true;
  constexpr double longest = 1e9;  // 30 years, in seconds
  const std::chrono::duration<double> timeout(seconds > longest ? longest : seconds);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::nanoseconds>(timeout);
  {
    const WithoutGil others_may_run;
    const bool is_short = seconds >= 0 && timeout < short_wait;
    if (detail::wait(task_, is_short ? std::chrono::duration_cast<std::chrono::nanoseconds>(timeout) : short_wait))
      return true;
    if (is_short) return false;
  }
  const Waiting waiting;
  if (seconds < 0) return detail::wait(task_, std::chrono::nanoseconds(-1));
  return detail::wait(task_, std::max(std::chrono::nanoseconds(0), end - std::chrono::steady_clock::now()));
}

nb::tuple CoreTask::outcome() const {
  switch (detail::ending(*task_)) {
    case detail::Ending::value:
      if (is_chunk_) return nb::make_tuple("chunk", values_of(detail::result_bytes(*task_)));
      return decoded(*task_);
    case detail::Ending::raised: return decoded(*task_);
    case detail::Ending::died: return nb::make_tuple("died", make_report(detail::crash_report(*task_)));
    case detail::Ending::cancelled: return nb::make_tuple("cancelled", nb::none());
    case detail::Ending::refused: return refusal_of(*task_);
    case detail::Ending::pending: break;
  }
  throw Error("the outcome of a task that has not settled was asked for");
}

nb::tuple CoreTask::salvaged() const { return values_of(detail::salvaged_parts(*task_)); }

nb::object CoreTask::progress() const {
  const std::optional<Progress> told = detail::progress_of(task_);
  if (!told) return nb::none();
  const nb::object note = nb::steal(PyUnicode_DecodeUTF8(told->note.data(), static_cast<Py_ssize_t>(told->note.size()),
                                                         "ignore"));  // cut anywhere
  return nb::make_tuple(told->done, told->total, note);
}

bool CoreTask::never_ran() const {
  if (detail::ending(*task_) == detail::Ending::died) return detail::salvaged_parts(*task_).empty();
  if (detail::ending(*task_) != detail::Ending::raised || !told_by_python(detail::result_bytes(*task_))) return false;
  ResultHead head;
  detail::ByteSource(detail::result_bytes(*task_)).take(&head, sizeof head);
  return head.ended == Ended::unread;
}

nb::tuple CoreTask::values_of(std::span<const std::byte> parts) const {
  return chunk_values(parts, *detail::result_attachments(*task_));
}

void define_task(nb::module_& module) {
  nb::class_<CoreTask>(module, "CoreTask", nb::is_weak_referenceable())
      .def_prop_ro("settled", &CoreTask::settled)
      .def_prop_ro("running", &CoreTask::running)
      .def_prop_ro("id", &CoreTask::id)
      .def("wait", &CoreTask::wait, nb::arg("seconds"))
      .def("outcome", &CoreTask::outcome)
      .def("salvaged", &CoreTask::salvaged)
      .def("progress", &CoreTask::progress)
      .def_prop_ro("never_ran", &CoreTask::never_ran)
      .def_prop_ro("made_room", &CoreTask::made_room)
      .def("cancel", &CoreTask::cancel, nb::arg("kill"));
}

}  // namespace hotspare::python
