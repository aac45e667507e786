#pragma once

#include <cstdint>

namespace hotspare::worker {

/// Around each task that the worker runs, on its main thread.
/// since: when it began, ns, if it has limits, else 0. attempt: 1 for the first.
void task_begins(std::uint64_t ticket, std::int64_t since, unsigned attempt);
void task_ends();
/// Whether the soft limit of what runs has passed. Async-signal-safe.
bool asked_to_stop() noexcept;

}  // namespace hotspare::worker
