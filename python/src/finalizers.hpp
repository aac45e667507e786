#pragma once

#include "python.hpp"

#include <vector>

namespace hotspare::python {

/// New references to what is reached from here and has a destructor of its own (__del__); looks at a thousand objects at
/// most. GIL held.
std::vector<nb::object> with_finalizers(nb::handle root);

}  // namespace hotspare::python
