#pragma once

#include <hotspare/export.hpp>

#include <cstddef>

namespace hotspare::detail {

/// What a language runtime that uses the engine wants to be told of, so that its own state survives forks and sleeps. Any
/// of the functions may be null. Called in the host (around its forks), in zygotes and in workers.
struct Embedding {
  /// Around each fork, on the thread that forks: host → zygote, zygote → worker, zygote → standby.
  void (*before_fork)() = nullptr;
  void (*after_fork_in_parent)() = nullptr;
  void (*after_fork_in_child)() = nullptr;
  /// First thing in a zygote.
  void (*zygote_begins)() = nullptr;
  /// Around a worker's sleep while it has nothing to do; never while it runs a task.
  void (*idle_begins)() = nullptr;
  void (*idle_ends)() = nullptr;
  /// A worker was told to leave, and will exit without exit handlers.
  void (*worker_leaves)() = nullptr;
  /// A signal handler has run on a thread of the host that waits. What this throws ends the wait, and reaches the caller.
  void (*interrupted)() = nullptr;
  /// Writes the runtime's own call stack for people, returns its length. Async-signal-safe: called while dying.
  std::size_t (*describe_stack)(char* room, std::size_t size) noexcept = nullptr;
  /// Sent to a worker whose task is asked to stop; 0: none.
  int stop_signal = 0;
  /// The runtime's signal handlers stay in zygotes and workers; else they get the default actions.
  bool keeps_signal_handlers = false;
  /// The runtime answers for forks of a host that has threads: Start::fork is not refused then.
  bool forks_with_threads = false;
};

/// For the whole process, before its first pool; zygotes and workers that are forks of it inherit it.
HOTSPARE_API void embed(const Embedding& embedding);
const Embedding& embedding() noexcept;

/// Whether the soft_timeout of the task that this worker runs has passed. Async-signal-safe.
HOTSPARE_API bool asked_to_stop() noexcept;

/// Whether this is a worker process, or not (a child that a task forked is none).
HOTSPARE_API bool in_worker_process() noexcept;

}  // namespace hotspare::detail
