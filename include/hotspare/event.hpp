#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace hotspare {

struct CrashReport;

/// Something that happened in a pool or a standby channel. Delivered in order.
struct Event {
  enum class Source : std::uint8_t { pool, standby };
  enum class Kind : std::uint8_t {
    worker_ready,  ///< A worker finished its initializer.
    death,         ///< A worker died unexpectedly; report is set.
    takeover,      ///< A warm spare took the place of a dead worker (pid: the spare). Told after its death.
    refill,        ///< A new worker was asked for.
    retired,       ///< A worker left as planned.
    zygote_died,   ///< The zygote died; its standby took over or another was started (detail).
    broken,        ///< The pool gave up; detail says why.
    retry,         ///< A task will be run again (task_id); report is set if its worker had died. detail: when.
    host_run,  ///< No process can be started: tasks run in the host from now on (PoolOptions::run_in_host). detail: why.
    host_run_ends,  ///< They run in workers again.
    unavailable,    ///< Something that was asked for is not to be had here; detail says what, and what that costs.
  };
  Kind kind{};
  std::chrono::steady_clock::time_point at;
  std::int64_t pid = 0;
  std::uint64_t task_id = 0;
  std::string detail;
  std::shared_ptr<const CrashReport> report;
  Source source = Source::pool;  ///< A pool, or a standby channel,
  std::string source_name;       ///< and its PoolOptions::name or StandbyOptions::name.
};

}  // namespace hotspare
