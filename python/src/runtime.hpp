#pragma once

#include "python.hpp"

/// Ties the Python runtime to the engine: what must happen around forks, while a worker sleeps, and when it dies.
namespace hotspare::python {

/// Once per process, when the module is imported.
void tie_runtime();

/// Functions for PoolOptions: they call hotspare._worker.
void preload_in_zygote();
void begin_worker();

void define_runtime(nb::module_& module);

}  // namespace hotspare::python
