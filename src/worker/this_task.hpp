#pragma once

#include "shm/progress.hpp"

#include <cstdint>

namespace hotspare::worker {

/// While it lives, a task runs in the host itself, on this thread.
class HostTask {
 public:
  HostTask(shm::Progress& progress, std::uint64_t id, unsigned attempt) noexcept;
  ~HostTask();
  HostTask(const HostTask&) = delete;
  HostTask& operator=(const HostTask&) = delete;

  void tell(const shm::Told& told) noexcept;
  unsigned attempt() const noexcept { return attempt_; }

 private:
  shm::Progress& progress_;
  std::uint64_t id_;
  unsigned attempt_;
};

/// Around each task that the worker runs, on its main thread.
/// since: when it began, ns, if it has limits, else 0. attempt: 1 for the first.
void task_begins(std::uint64_t ticket, std::int64_t since, unsigned attempt);
void task_ends();
/// Whether the soft limit of what runs has passed. Async-signal-safe.
bool asked_to_stop() noexcept;

}  // namespace hotspare::worker
