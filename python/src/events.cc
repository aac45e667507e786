#include "events.hpp"

#include "report.hpp"

#include <chrono>
#include <string>

namespace hotspare::python {

std::function<void(const Event&)> event_callback(nb::handle callable) {
  if (callable.is_none()) return {};
  return [kept = callable.ptr()](const Event& event) {
    const nb::gil_scoped_acquire gil;
    try {
      static constexpr const char* names[] = {"worker_ready", "death",         "takeover",   "refill",
                                              "retired",      "zygote_died",   "broken",     "retry",
                                              "host_run",     "host_run_ends", "unavailable"};
      const nb::object report = event.report ? make_report(event.report) : nb::object(nb::none());
      const double at = std::chrono::duration<double>(event.at.time_since_epoch()).count();
      nb::borrow(kept)(names[static_cast<std::size_t>(event.kind)], at, event.pid, event.task_id, event.detail, report);
    } catch (nb::python_error& error) {
      error.discard_as_unraisable("hotspare event callback");
    }
  };
}

}  // namespace hotspare::python
