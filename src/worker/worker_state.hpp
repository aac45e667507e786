#pragma once

#include "os/memory.hpp"
#include "shm/bells.hpp"
#include "shm/channel.hpp"
#include "worker/last_words.hpp"

#include <atomic>

namespace hotspare::worker {

/// What a worker process knows about itself. One, global: signal handlers have no other way to it.
struct WorkerState {
  LastWords* last_words = nullptr;                  ///< Where it leaves them,
  std::atomic<std::uint32_t>* host_bell = nullptr;  ///< and whom it rings then. Set in replicas of a channel, too.
  std::atomic<std::uint32_t>* requests = nullptr;   ///< Of the bells. Null in replicas.
  shm::Channel* channel = nullptr;
  shm::Bells* bells = nullptr;
  const shm::Wishes* wishes = nullptr;
  /// On a page that a fork of this process sees as zero: tells the worker from a child that a task forked.
  const bool* is_worker = nullptr;
  std::uint64_t number = 0;                     ///< Which of its pool's workers it is.
  std::atomic<std::uint64_t> memory_limit{0};   ///< Of the running task; 0: none.
  std::atomic<std::uint64_t> memory_before{0};  ///< In use when that task began.
};
extern WorkerState state;

/// False in a process that a task forked off: it has no channel and must not act as the worker.
inline bool in_worker() { return state.is_worker != nullptr && *state.is_worker; }

/// From now on this process is one; exits when that is not possible.
void mark_as_worker();

/// Wakes whoever in the host listens: for what it must hear at once.
void ring_host() noexcept;
/// Wakes the listener, which alone looks for deaths.
void ring_listener() noexcept;
/// The same for a finished task: only if somebody wishes to hear of that. dry: there is no next task.
void ring_host_for_result(bool dry) noexcept;

}  // namespace hotspare::worker
