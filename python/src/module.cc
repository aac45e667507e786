#include "bell.hpp"
#include "block.hpp"
#include "chaos.hpp"
#include "core_batch.hpp"
#include "core_pool.hpp"
#include "core_standby.hpp"
#include "core_task.hpp"
#include "health.hpp"
#include "python.hpp"
#include "report.hpp"
#include "runtime.hpp"
#include "signal_watch.hpp"

#include <hotspare/error.hpp>
#include <hotspare/version.hpp>

/// hotspare._core: the engine, for the Python half of the package. Nothing in here is for users.
NB_MODULE(_core, module) {
  using namespace hotspare::python;  // NOLINT(google-build-using-namespace): in this function only
  // Objects of ours may live in the program's globals until the interpreter ends.
  nb::set_leak_warnings(false);
  // NOLINTBEGIN(bugprone-throw-keyword-missing,bugprone-unused-raii): to construct one is to define Python's class
  nb::exception<hotspare::PoolClosed>(module, "PoolClosed", PyExc_RuntimeError);
  nb::exception<hotspare::PoolBroken>(module, "PoolBroken", PyExc_RuntimeError);
  nb::exception<hotspare::QueueFull>(module, "QueueFull", PyExc_RuntimeError);
  // NOLINTEND(bugprone-throw-keyword-missing,bugprone-unused-raii)
  define_signal_watch(module);
  define_bell(module);
  define_block(module);
  module.def("shared_block", make_shared_block, nb::arg("size"));
  define_report(module);
  define_task(module);
  define_pool(module);
  define_batch(module);
  define_standby(module);
  define_runtime(module);
  define_chaos(module);
  define_health(module);
  tie_runtime();
}
