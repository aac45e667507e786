#include "health.hpp"

#include "event_kind.hpp"
#include "metrics/families.hpp"
#include "report.hpp"

#include <hotspare/health.hpp>

#include <memory>

namespace hotspare::python {
namespace {

/// (count, seconds in all, the longest, ((upper bound, how many), …) of the buckets that are not empty).
nb::tuple histogram(const Histogram& from) {
  const auto seconds = [](std::uint64_t ns) { return static_cast<double>(ns) / 1e9; };
  nb::list buckets;
  for (std::size_t i = 0; i < from.counts.size(); ++i)
    if (from.counts[i] != 0) buckets.append(nb::make_tuple(seconds(Histogram::top_of(i)), from.counts[i]));
  return nb::make_tuple(from.count(), seconds(from.sum_ns), seconds(from.max_ns), nb::tuple(buckets));
}

/// (numbers, deaths by cause, histograms), each by name.
template <class S>
nb::tuple figures(const S& stats) {
  nb::dict numbers;
  nb::dict causes;
  nb::dict histograms;
  for (const metrics::Family& family : metrics::families)
    if (const auto member = metrics::member_of<S>(family); member.value != nullptr)
      numbers[member.name] = stats.*member.value;
  for (std::size_t i = 0; i < cause_count; ++i) {
    const std::string cause(name(static_cast<Cause>(i)));
    causes[cause.c_str()] = stats.deaths_by_cause[i];
  }
  for (const metrics::HistogramFamily& family : metrics::histogram_families)
    if (const auto member = metrics::member_of<S>(family); member.value != nullptr)
      histograms[member.name] = histogram(stats.*member.value);
  return nb::make_tuple(numbers, causes, histograms);
}

nb::tuple health_of_process() {
  Health now;
  {
    const nb::gil_scoped_release others_may_run;
    now = health();
  }
  return nb::make_tuple(now.pools_open, now.pools_made, now.channels_open, now.channels_made, figures(now.pools),
                        figures(now.channels), now.channels.unavailable);
}

std::string openmetrics_of_process() {
  const nb::gil_scoped_release others_may_run;
  return openmetrics();
}

/// A Python object that threads without the GIL may hold and let go of.
std::shared_ptr<PyObject> shared(nb::handle object) {
  return {object.inc_ref().ptr(), [](PyObject* held) {
            const nb::gil_scoped_acquire gil;
            Py_DECREF(held);
          }};
}

class CoreSubscription {
 public:
  explicit CoreSubscription(nb::handle callable)
      : subscription_(subscribe([kept = shared(callable)](const Event& event) { tell(kept.get(), event); })) {}
  ~CoreSubscription() { end(); }
  CoreSubscription(const CoreSubscription&) = delete;
  CoreSubscription& operator=(const CoreSubscription&) = delete;
  void end() {
    Subscription ending = std::move(subscription_);
    const nb::gil_scoped_release others_may_run;  // a call under way needs the GIL to end
    ending.end();
  }

 private:
  static void tell(PyObject* callable, const Event& event) {
    const nb::gil_scoped_acquire gil;
    try {
      nb::borrow(callable)(event_arguments(event));
    } catch (nb::python_error& error) {
      error.discard_as_unraisable("hotspare event subscriber");
    }
  }
  static nb::tuple event_arguments(const Event& event);

  Subscription subscription_;
};

nb::tuple CoreSubscription::event_arguments(const Event& event) {
  const nb::object report = event.report ? make_report(event.report) : nb::object(nb::none());
  const double at = std::chrono::duration<double>(event.at.time_since_epoch()).count();
  return nb::make_tuple(event_kind(event), at, event.pid, event.task_id, event.detail, report, event_source(event),
                        event.source_name);
}

}  // namespace

void define_health(nb::module_& module) {
  module.def("health", health_of_process);
  module.def("openmetrics", openmetrics_of_process);
  nb::class_<CoreSubscription>(module, "CoreSubscription")
      .def(nb::init<nb::handle>(), nb::arg("callable"))
      .def("end", &CoreSubscription::end);
}

}  // namespace hotspare::python
