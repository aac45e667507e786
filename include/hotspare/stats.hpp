#pragma once

#include <hotspare/crash_report.hpp>
#include <hotspare/histogram.hpp>

#include <array>
#include <cstdint>

namespace hotspare {

/// Counters since the pool was made, and gauges of this moment. Each task is counted in exactly one of
/// values, raised, died, cancelled, refused once it has settled.
struct Stats {
  std::uint64_t submitted = 0;
  std::uint64_t values = 0;  ///< Returned a value.
  std::uint64_t raised = 0;  ///< Threw.
  std::uint64_t died = 0;    ///< Settled as WorkerDied.
  std::uint64_t cancelled = 0;
  std::uint64_t refused = 0;  ///< Settled as PoolBroken, PayloadError, QueueTimeout or NeedsProcess.

  std::uint64_t deaths = 0;               ///< Workers that died unexpectedly, with a task or without.
  std::uint64_t deaths_idle = 0;          ///< Of these: no task was running.
  std::uint64_t deaths_before_ready = 0;  ///< Of these: before the initializer was through.
  std::uint64_t takeovers = 0;            ///< Deaths after which a warm spare stood in at once.
  std::uint64_t forks = 0;                ///< Workers asked for.
  std::uint64_t retired = 0;              ///< Workers that left as planned.
  std::uint64_t recalled = 0;             ///< Prefetched tasks taken back from a worker.
  std::uint64_t zygote_deaths = 0;
  std::uint64_t retried = 0;         ///< Attempts after the first.
  std::uint64_t retries_denied = 0;  ///< Not made, because PoolOptions::retry_budget was used up.
  std::uint64_t quarantined = 0;     ///< Tasks that ended as Quarantined; died counts them, too.
  std::uint64_t put_back = 0;        ///< Attempts ended to make room for others, and made again without being counted.
  std::uint64_t run_in_host = 0;     ///< Attempts that ran in the host itself (PoolOptions::run_in_host).
  std::uint64_t expired = 0;         ///< Tasks that ended as QueueTimeout; refused counts them, too.

  std::uint64_t peak_unsettled = 0;  ///< Most tasks that were submitted and not settled at one time.

  std::uint64_t queued = 0;         ///< Tasks not yet handed to a worker.
  std::uint64_t in_workers = 0;     ///< Tasks handed to a worker and not settled.
  std::uint64_t workers = 0;        ///< Ready to run tasks.
  std::uint64_t spares = 0;         ///< Ready and parked.
  std::uint64_t segment_bytes = 0;  ///< Shared memory held for large payloads.

  /// The deaths, by CrashReport::cause: element static_cast<std::size_t>(Cause::signal) are those of a signal.
  std::array<std::uint64_t, cause_count> deaths_by_cause{};
  /// From a death to its notice, of those deaths whose instant is known: the worker's own crash handler noted it (fatal
  /// signals but SIGKILL, std::terminate, a memory limit, an initializer that threw), or a time limit passed, from which on
  /// it counts. Not of SIGKILL and exit, which leave no note.
  Histogram detection;
  /// From the notice of the death of a worker that was ready to a new one that is ready; each newcomer counts for one death,
  /// the oldest that none has counted for yet.
  Histogram recovery;
};

}  // namespace hotspare
