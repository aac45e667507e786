#pragma once

#include "python.hpp"

#include <hotspare/options.hpp>

namespace hotspare::python {

/// Options of a task from what hotspare._options has checked.
TaskOptions task_options(const nb::dict& given);
TagLimits tag_limits(const nb::dict& given);

/// Seconds, as many as nanoseconds can count; 0: none.
std::chrono::nanoseconds nanoseconds_of(double seconds);

}  // namespace hotspare::python
