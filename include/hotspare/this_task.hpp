#pragma once

#include <hotspare/export.hpp>

#include <cstdint>
#include <stop_token>
#include <string_view>

/// What a running task can say to its pool and hear from it. Outside of tasks these do nothing. In a task that runs in the
/// host (PoolOptions::run_in_host) they must be called on the task's own thread.
namespace hotspare {

/// Tells how far the task is: for Future::progress, and for TaskOptions::progress_timeout, which begins anew. total 0: not
/// known. note: at most 119 bytes are kept. Costs some 100 ns. Threads: any of the worker's.
HOTSPARE_API void progress(std::uint64_t done = 0, std::uint64_t total = 0, std::string_view note = {});

/// Of the task that runs: a stop is requested when its soft_timeout has passed. Callbacks of the token run on a thread that
/// the worker has for that from the first call on. Outside of tasks a token that is never stopped.
HOTSPARE_API std::stop_token stop_token();

/// Which attempt of its task this is: 1 for the first, more for those that its Retries allow. 0 outside of tasks. Threads:
/// any of the worker's.
HOTSPARE_API unsigned attempt() noexcept;

}  // namespace hotspare
