#pragma once

#include <hotspare/export.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hotspare::detail {

/// What a language runtime that uses the engine wants to be told of, so that its own state survives forks and sleeps. Any
/// of the functions may be null. Called in the host (around its forks), in zygotes and in workers.
struct Embedding {
  /// Around each fork, on the thread that forks: host → zygote, zygote → worker, zygote → standby.
  void (*before_fork)() = nullptr;
  void (*after_fork_in_parent)() = nullptr;
  void (*after_fork_in_child)() = nullptr;
  /// Does a fork that somebody else wants to be asked for, with all that comes before and after it: as fork(), or nothing
  /// if nobody does.
  std::optional<int> (*fork)() = nullptr;
  /// The same for a fresh program that inherits these descriptors, and `setting` (NAME=value) in its environment.
  std::optional<int> (*spawn)(const std::vector<std::string>& command, const std::vector<int>& inherited,
                              const std::string& setting) = nullptr;
  /// First thing in a zygote.
  void (*zygote_begins)() = nullptr;
  /// Around the sleep of a zygote or worker that has nothing to do; never while a task runs.
  void (*idle_begins)() = nullptr;
  void (*idle_ends)() = nullptr;
  /// Calls serve(argument), which is a worker's whole life behind its set-up, and ends the process when that returns.
  /// Null: it is called as it is. What serve throws was thrown by between_tasks.
  void (*worker_lives)(void (*serve)(void*), void* argument) = nullptr;
  /// In a worker, while no task runs: after each sleep that something has ended, and before each task. For what signal
  /// handlers have left to do. What it throws ends the worker, and no task.
  void (*between_tasks)() = nullptr;
  /// A worker's task is over, and its outcome is safe: time to let go of what it had to do with.
  void (*task_over)() = nullptr;
  /// A replica (without worker_lives: a worker, too) was told to leave, and will exit without exit handlers.
  void (*worker_leaves)() = nullptr;
  /// Writes the runtime's own call stack for people, returns its length. Async-signal-safe: called while dying.
  std::size_t (*describe_stack)(char* room, std::size_t size) noexcept = nullptr;
  /// Sent to a worker whose task is asked to stop; 0: none.
  int stop_signal = 0;
  /// The runtime's signal handlers stay in zygotes and workers; else they get the default actions.
  bool keeps_signal_handlers = false;
  /// The runtime answers for forks of a host that has threads: Start::fork is not refused then.
  bool forks_with_threads = false;
  /// What to look at when a program that was started as a zygote ends instead; null: hotspare::init.
  const char* exec_advice = nullptr;
};

/// For the whole process, before its first pool; zygotes and workers that are forks of it inherit it.
HOTSPARE_API void embed(const Embedding& embedding);
const Embedding& embedding() noexcept;

/// Whether the soft_timeout of the task that this worker runs has passed. Async-signal-safe.
HOTSPARE_API bool asked_to_stop() noexcept;

/// Whether this is a worker process, or not (a child that a task forked is none).
HOTSPARE_API bool in_worker_process() noexcept;

/// Which of its pool's workers this process is: the first one has 1, and no number is given twice.
HOTSPARE_API std::uint64_t worker_number() noexcept;

/// Whether this program was started to become a zygote, and has not done so (hotspare::init).
HOTSPARE_API bool is_to_be_zygote() noexcept;

}  // namespace hotspare::detail
