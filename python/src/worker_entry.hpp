#pragma once

#include <hotspare/detail/task_ref.hpp>

namespace hotspare::python {

/// The code that runs in the worker for every Python task.
void run_python_task(detail::TaskContext& context);
/// Behind it, as soon as the outcome is safe. GIL held.
void let_go_of_task();

/// Whether a task's own code runs in this worker: a KeyboardInterrupt is that task's. With the GIL.
bool in_task();

/// How the engine finds it; of chunks what fails is an item, never the whole.
const detail::CallSite& python_call_site();
const detail::CallSite& python_chunk_site();

}  // namespace hotspare::python
