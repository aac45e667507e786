#pragma once

#include "python.hpp"

/// Faults on purpose (hotspare/chaos.hpp), for hotspare.chaos.
namespace hotspare::python {

void define_chaos(nb::module_& module);

}  // namespace hotspare::python
