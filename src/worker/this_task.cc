#include <hotspare/this_task.hpp>

#include <hotspare/detail/embedding.hpp>

#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/signals.hpp"
#include "worker/this_task.hpp"
#include "worker/worker_state.hpp"

#include <atomic>
#include <mutex>
#include <thread>

namespace hotspare {
namespace worker {
namespace {

/// Of the task that runs. The watcher copies the source and asks it without the mutex: callbacks may take long, and ask for
/// the token themselves.
struct Stopping {
  std::mutex mutex;
  std::int64_t begun_at = 0;  ///< Whose the source is; 0: nobody's.
  std::stop_source source{std::nostopstate};
  bool watched = false;
};
Stopping& stopping() {
  static Stopping& one = *new Stopping;  // the watcher may outlive static objects
  return one;
}
std::atomic<std::uint64_t> running{0};       ///< Ticket; 0: nothing.
std::atomic<std::int64_t> running_since{0};  ///< If it has limits.
std::atomic<unsigned> running_attempt{0};
std::mutex telling;
thread_local HostTask* in_host = nullptr;

/// Of the task that is asked to stop, if it wanted to know.
std::stop_source asked(const shm::StopRequest& request) {
  const std::lock_guard lock(stopping().mutex);
  if (stopping().begun_at != 0 && stopping().begun_at == request.begun_at.load(std::memory_order_seq_cst))
    return stopping().source;
  return std::stop_source{std::nostopstate};
}

void pass_on_requests() {
  shm::StopRequest& request = state.channel->stop;
  for (;;) {
    const std::uint32_t bell = request.bell.load(std::memory_order_seq_cst);
    std::stop_source source = asked(request);
    source.request_stop();
    os::futex_wait(request.bell, bell, os::FutexScope::shared);
  }
}

}  // namespace

HostTask::HostTask(shm::Progress& progress, std::uint64_t id, unsigned attempt) noexcept
    : progress_(progress), id_(id), attempt_(attempt) {
  in_host = this;
}
HostTask::~HostTask() { in_host = nullptr; }
void HostTask::tell(const shm::Told& told) noexcept { progress_.tell(id_, os::monotonic_ns(), told); }

void task_begins(std::uint64_t ticket, std::int64_t since, unsigned attempt) {
  running_attempt.store(attempt, std::memory_order_relaxed);
  running_since.store(since, std::memory_order_relaxed);
  running.store(ticket, std::memory_order_relaxed);
}

void task_ends() { task_begins(0, 0, 0); }

bool asked_to_stop() noexcept {
  const std::int64_t since = running_since.load(std::memory_order_relaxed);
  return since != 0 && in_worker() && state.channel->stop.begun_at.load(std::memory_order_acquire) == since;
}

}  // namespace worker

void progress(std::uint64_t done, std::uint64_t total, std::string_view note) {
  const std::uint64_t ticket = worker::running.load(std::memory_order_relaxed);
  const bool in_worker = ticket != 0 && worker::in_worker();
  if (!in_worker && worker::in_host == nullptr) return;
  shm::Told told{.done = done, .total = total};
  note.copy(told.note.data(), told.note.size() - 1);
  if (!in_worker) return worker::in_host->tell(told);
  const std::lock_guard one(worker::telling);
  worker::state.channel->progress.tell(ticket, os::monotonic_ns(), told);
}

unsigned attempt() noexcept {
  if (worker::in_worker()) return worker::running_attempt.load(std::memory_order_relaxed);
  return worker::in_host != nullptr ? worker::in_host->attempt() : 0;
}

std::stop_token stop_token() {
  using worker::stopping;
  const std::int64_t since = worker::running_since.load(std::memory_order_relaxed);
  if (since == 0 || !worker::in_worker()) return {};
  const std::lock_guard lock(stopping().mutex);
  if (stopping().begun_at != since) {
    stopping().begun_at = since;
    stopping().source = std::stop_source();
    if (worker::asked_to_stop()) stopping().source.request_stop();
  }
  if (!stopping().watched) {
    const os::SignalsBlocked blocked;
    std::thread(worker::pass_on_requests).detach();
    stopping().watched = true;
  }
  return stopping().source.get_token();
}

bool detail::asked_to_stop() noexcept { return worker::asked_to_stop(); }

}  // namespace hotspare
