#pragma once

#include <hotspare/event.hpp>
#include <hotspare/export.hpp>
#include <hotspare/retries.hpp>
#include <hotspare/tag.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace hotspare {

/// How workers come to be.
enum class Start : unsigned char {
  fork,  ///< Workers are forks of this process as it was when the pool was made. Refused (Error) when
         ///< other threads run then: a fork copies their locks, held for ever.
  exec,  ///< Workers are forks of this program started afresh. Needs hotspare::init(argc, argv) as the
         ///< first statement of main. For hosts that already run threads.
};

/// Where a worker's stderr goes. In each case its last lines are kept for the crash report.
enum class Stderr : unsigned char {
  tee,      ///< To the host's stderr, too.
  capture,  ///< Only into the report.
};

/// What submit does when queue_limit or payload_limit is reached.
enum class WhenFull : unsigned char {
  wait,   ///< Blocks until there is room (throws QueueFull on the pool's own threads, which must not block).
  refuse  ///< Throws QueueFull at once.
};

struct PoolOptions {
  /// Workers that run tasks at the same time; 0: CPUs of the affinity mask, cut by the cgroup's quota.
  unsigned workers = 0;
  /// Warm workers kept beside them; one takes over the moment a worker dies.
  unsigned spares = 1;
  Start start = Start::fork;
  /// Start::exec: program and arguments of the zygote; empty: this program as it was started. It must call hotspare::init
  /// before all else, and hold the same modules as this process for the functions that it is to run.
  std::vector<std::string> exec_command{};
  /// Start::exec: descriptors that the zygote and its workers inherit under the same numbers; open as long as the pool.
  std::vector<int> exec_keep{};
  /// Run once in the process from which all workers are forked (load what they all need). Must be a plain function.
  void (*preload)() = nullptr;
  /// Run in each worker before its first task. If it throws, the worker dies; see PoolBroken.
  void (*initializer)() = nullptr;
  /// Run once before the first task that runs in the host (run_in_host), on that thread; empty: preload, then initializer. If it throws,
  /// the pool is broken.
  std::function<void()> host_initializer{};
  /// Retire a worker after so many tasks; 0: never.
  unsigned tasks_per_worker = 0;
  /// Tasks waiting for a worker, at most; 0: no limit. What workers were given ahead of time and comes back (one died, or has no
  /// core) counts, too, and may exceed it.
  std::size_t queue_limit = 0;
  /// Bytes of large arguments waiting to be run, at most; 0: a quarter of the memory that this
  /// process may have: the machine's, or its cgroup's.
  std::size_t payload_limit = 0;
  WhenFull when_full = WhenFull::wait;
  /// Where no process can be started (the kernel refuses to fork, or to start the zygote) and no worker is there, tasks run
  /// in this process instead of ending as PoolBroken: one at a time, on a thread of the pool's own. Nothing is isolated then:
  /// a task that crashes takes the host with it, one that never returns cannot be ended, and shutdown waits for it. Tasks with
  /// a time or memory limit, and those that have cost a worker its life before, end as NeedsProcess. Told as
  /// Event::host_run, or on stderr where there is no on_event. After each such task processes are tried again. Not for pools
  /// whose workers die before their first task: those are broken.
  bool run_in_host = false;
  /// Deaths in a row of workers that never became ready, after which the pool is broken.
  unsigned breaker_deaths = 5;
  /// A key, or a task that is being retried, is in quarantine once it has killed so many workers (deadlines and cancels not
  /// counted): what has it ends at once as Quarantined. 0: never.
  unsigned quarantine_deaths = 2;
  RetryBudget retry_budget{};
  /// Private memory that all workers together may use, bytes; 0: no limit. Near it no new task begins; beyond it the newest
  /// of the large ones is ended, and run again later, alone, without losing an attempt (so it must not mind that). Alone, a
  /// task that needs more ends as WorkerDied with Cause::memory_limit. Looked at every 1 to 50 ms while tasks run.
  std::size_t memory_budget = 0;
  /// Memory that must stay free on the machine, or in the cgroup that this process is in, bytes; 0: no such limit. As
  /// memory_budget.
  std::size_t memory_reserve = 0;
  /// A worker whose private memory is more than this when it has run a task is replaced; 0: never.
  std::size_t recycle_above = 0;
  /// What holds for tasks that carry a tag, by its name; TaskOptions::tags may name these and no others.
  std::map<std::string, TagLimits> tags{};
  Stderr worker_stderr = Stderr::tee;
  /// Shown in process titles, errors and events.
  std::string name = "hotspare";
  /// Called for each event, one at a time, on a thread of the pool's own that does nothing else.
  /// What it throws is told on stderr and goes no further. It may destroy the pool, which then goes on in the background until
  /// its tasks have settled; on_event is not called any more.
  std::function<void(const Event&)> on_event{};
};

/// All times: 0 means none, negative ones are over at once, and what is longer than 100 years counts as that.
struct TaskOptions {
  /// Wall-clock time from the start of the task's run. At its end the worker's stack is taken and the worker is killed: the
  /// task ends as TaskTimeout.
  std::chrono::nanoseconds timeout{0};
  /// The same, but first the task is asked to stop, by hotspare::stop_token(). If it still runs when the grace is over its
  /// stack is taken, the task ends as TaskTimeout, and its worker's process group gets SIGTERM, and SIGKILL after another
  /// grace.
  std::chrono::nanoseconds soft_timeout{0};
  /// From submit until it begins: then it ends as QueueTimeout, and never runs.
  std::chrono::nanoseconds queue_timeout{0};
  /// Between two calls of hotspare::progress(), from the start of its run on: silence ends it as timeout does.
  std::chrono::nanoseconds progress_timeout{0};
  /// See soft_timeout.
  std::chrono::nanoseconds grace = std::chrono::seconds(1);
  /// Bytes of memory that the task may add to its worker; 0: no limit. Beyond it the worker is ended: WorkerDied with
  /// Cause::memory_limit. Two lines: RLIMIT_DATA in the worker, which is exact, refuses heap and private writable mappings.
  /// The host counts what that does not see, and ends what is over it at its next look, 1 to 50 ms later: shared memory that
  /// has no name (MAP_SHARED | MAP_ANONYMOUS, memfds, SysV segments), and all that children of the task take. Not counted:
  /// arguments and results, files, what lies in /dev/shm under a name, and what is swapped out.
  std::size_t memory_limit = 0;
  /// Which failed attempts are made again; by default none.
  Retries retries{};
  /// What the task is about, for quarantine (PoolOptions::quarantine_deaths); empty: nothing that other tasks are about, too.
  std::string key{};
  /// Names of limits that hold for it, of PoolOptions::tags; several: all of them.
  std::vector<std::string> tags{};
  /// Tasks of a higher priority begin first; but each eighth that begins is the one that was submitted first.
  int priority = 0;
  /// For reports; the function's own name if empty.
  std::string name{};
};

/// CPUs this process may really use: the affinity mask, cut by the cgroup's CPU quota (rounded up), at least 1.
HOTSPARE_API unsigned usable_cpus();

/// First statement of main in programs that use Start::exec: when this process was started as a zygote it
/// never returns; otherwise it does nothing. argc and argv are taken so that later versions can look at them.
HOTSPARE_API void init(int argc, char** argv);

}  // namespace hotspare
