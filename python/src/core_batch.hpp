#pragma once

#include "python.hpp"

namespace hotspare::python {

/// Durable batches: the journal of the C++ engine, for hotspare._batch.
void define_batch(nb::module_& module);

}  // namespace hotspare::python
