#include "events.hpp"

#include "report.hpp"

#include <array>
#include <chrono>
#include <cstddef>

namespace hotspare::python {
namespace {

/// As Python knows it: hotspare.Event.kind.
const char* kind_name(const Event& event) {
  static constexpr std::array names = {"worker_ready", "death",         "takeover",   "refill",
                                       "retired",      "zygote_died",   "broken",     "retry",
                                       "host_run",     "host_run_ends", "unavailable"};
  static_assert(names.size() == static_cast<std::size_t>(Event::Kind::unavailable) + 1);
  return names.at(static_cast<std::size_t>(event.kind));
}

}  // namespace

nb::tuple event_arguments(const Event& event) {
  const nb::object report = event.report ? make_report(event.report) : nb::object(nb::none());
  const double at = std::chrono::duration<double>(event.at.time_since_epoch()).count();
  const char* const source = event.source == Event::Source::pool ? "pool" : "standby";
  return nb::make_tuple(kind_name(event), at, event.pid, event.task_id, event.detail, report, source,
                        event.source_name);
}

std::function<void(const Event&)> event_callback(nb::handle callable) {
  if (callable.is_none()) return {};
  return [kept = callable.ptr()](const Event& event) {
    const WithGil gil;
    try {
      nb::borrow(kept)(*event_arguments(event));
    } catch (nb::python_error& error) {
      error.discard_as_unraisable("hotspare event callback");
    }
  };
}

}  // namespace hotspare::python
