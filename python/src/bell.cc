#include "bell.hpp"

#include "signal_watch.hpp"

#include <algorithm>
#include <chrono>

namespace hotspare::python {

using Clock = std::chrono::steady_clock;

void Bell::ring() {
  const std::lock_guard lock(mutex_);
  rung_ = true;
  changed_.notify_all();
}

void Bell::clear() {
  const std::lock_guard lock(mutex_);
  rung_ = false;
}

bool Bell::wait(double seconds) {
  constexpr double longest = 1e9;  // 30 years, in seconds
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
                                      seconds < 0 ? longest : std::min(seconds, longest)));
  {
    const WithoutGil others_may_run;
    std::unique_lock lock(mutex_);
    if (changed_.wait_until(lock, std::min(end, Clock::now() + short_wait), [this] { return rung_; })) return true;
  }
  const Waiting waiting;
  detail::Interruptible* const here = detail::Interruptible::here();
  for (;;) {
    {
      const detail::Interruptible::Wake wake(here, [this] {
        const std::lock_guard looking(mutex_);
        changed_.notify_all();
      });
      std::unique_lock lock(mutex_);
      const auto over = [&] { return rung_ || (here != nullptr && here->rung()); };
      if (seconds < 0) {
        changed_.wait(lock, over);
      } else {
        changed_.wait_until(lock, end, over);
      }
      if (rung_) return true;
    }
    if (here == nullptr || !here->rung()) return false;
    here->answer();
  }
}

void define_bell(nb::module_& module) {
  nb::class_<Bell>(module, "Bell")
      .def(nb::init<>())
      .def("ring", &Bell::ring)
      .def("clear", &Bell::clear)
      .def("wait", &Bell::wait, nb::arg("seconds"));
}

}  // namespace hotspare::python
