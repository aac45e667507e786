#include "health.hpp"

#include "events.hpp"
#include "metrics/families.hpp"

#include <hotspare/health.hpp>

#include <memory>

namespace hotspare::python {
namespace {

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
      histograms[member.name] = nb::cast(stats.*member.value);
  return nb::make_tuple(numbers, causes, histograms);
}

nb::tuple health_of_process() {
  Health now;
  {
    const WithoutGil others_may_run;
    now = health();
  }
  return nb::make_tuple(now.pools_open, now.pools_made, now.channels_open, now.channels_made, figures(now.pools),
                        figures(now.channels), now.channels.unavailable);
}

std::string openmetrics_of_process() {
  const WithoutGil others_may_run;
  return openmetrics();
}

/// A Python object that threads without the GIL may hold and let go of.
std::shared_ptr<PyObject> shared(nb::handle object) {
  return {object.inc_ref().ptr(), [](PyObject* held) {
            const WithGil gil;
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
    const WithoutGil others_may_run;  // a call under way needs the GIL to end
    ending.end();
  }

 private:
  static void tell(PyObject* callable, const Event& event) {
    const WithGil gil;
    try {
      nb::borrow(callable)(event_arguments(event));
    } catch (nb::python_error& error) {
      error.discard_as_unraisable("hotspare event subscriber");
    }
  }

  Subscription subscription_;
};

}  // namespace

void define_health(nb::module_& module) {
  module.def("health", health_of_process);
  module.def("openmetrics", openmetrics_of_process);
  nb::class_<CoreSubscription>(module, "CoreSubscription")
      .def(nb::init<nb::handle>(), nb::arg("callable"))
      .def("end", &CoreSubscription::end);
}

}  // namespace hotspare::python
