#pragma once

#include "worker/segments.hpp"

namespace hotspare::worker {

/// Runs tasks as they come until the host orders the worker to leave.
void run_tasks(Segments& segments);

}  // namespace hotspare::worker
