#pragma once

#include "worker/segments.hpp"

namespace hotspare::worker {

/// Runs a task that does nothing, by the way that all take, so that the first real one of a spare meets code and memory
/// that are there already.
void warm_up(Segments& segments);

/// Runs tasks as they come until the host orders the worker to leave. has_other_core: the host can run while this one looks
/// for its next task.
void run_tasks(Segments& segments, bool has_other_core);

}  // namespace hotspare::worker
