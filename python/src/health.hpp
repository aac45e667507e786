#pragma once

#include "python.hpp"

namespace hotspare::python {

/// hotspare.health(), openmetrics() and subscribe().
void define_health(nb::module_& module);

}  // namespace hotspare::python
