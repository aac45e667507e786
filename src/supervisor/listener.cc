#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/prompt.hpp"
#include "supervisor/engine.hpp"

#include <linux/futex.h>

/// The threads that hear deaths first, each asleep in futex_waitv over the robust words of up to 120 workers. The first
/// of them also looks after results while no caller does.
namespace hotspare::detail {
namespace {

/// Results of a traffic that dense are fetched in batches, this often, instead of one wake each.
constexpr std::int64_t batch_ns = 100'000;
constexpr std::size_t dense = 8;
constexpr std::int64_t soon_ns = 500'000;

thread_local const void* this_listener = nullptr;

}  // namespace

void Engine::listen(Listener& listener) {
  const os::Prompt prompt;
  this_listener = &listener;
  std::size_t recent = 0;
  for (;;) {
    std::int64_t deadline = -1;
    std::vector<os::FutexWatch> watches;
    {
      Lock lock(mutex_);
      if (closed_) return;
      if (arm_due_) arm_timer();
      const std::uint32_t bell = bells_->listener.load(std::memory_order_acquire);
      do {
        if (listener.seen != listener.changed.load(std::memory_order_acquire)) rebuild(listener);
        notice_all(listener);
      } while (listener.seen != listener.changed.load(std::memory_order_acquire));
      if (listener.primary) deadline = look_after_results(recent);
      // The spare that stands in waits for this CPU: the timers are armed when it runs.
      if (arm_due_ && deadline < 0) deadline = os::monotonic_ns() + soon_ns;
      watches.push_back({&listener.changed, listener.seen, os::FutexScope::process});
      if (listener.primary) watches.push_back({&bells_->listener, bell, os::FutexScope::shared});
      for (const auto& [worker, watch] : listener.words) watches.push_back(watch);
    }
    os::futex_wait_any(watches, deadline);
  }
}

/// Which words to watch. The kernel wakes a robust word's waiter only if the word says that there is one.
void Engine::rebuild(Listener& listener) {
  listener.seen = listener.changed.load(std::memory_order_acquire);
  listener.words.clear();
  for (const auto& [id, worker] : workers_) {
    const bool alive = worker->state != workers::State::asked && worker->state != workers::State::condemned;
    if (!alive || listeners_[worker->listener].get() != &listener) continue;
    std::atomic<std::uint32_t>& word = worker->channel().life_word();
    std::uint32_t value = word.load(std::memory_order_acquire);
    // Not yet taken by the worker: its readiness brings us here again.
    if ((value & FUTEX_TID_MASK) != 0) value = word.fetch_or(FUTEX_WAITERS, std::memory_order_acq_rel) | FUTEX_WAITERS;
    listener.words.emplace_back(worker.get(), os::FutexWatch{&word, value, os::FutexScope::shared});
  }
}

/// Returns until when to sleep at most: -1 for ever. recent: results fetched by the last look.
std::int64_t Engine::look_after_results(std::size_t& recent) {
  for (const auto& [id, worker] : workers_) note_ready(*worker);
  recent = harvest_all();
  pump();
  // The leader hears of results itself. We are here because of something it does not look for: a worker that wants a
  // segment rang while the leader was awake, say.
  if (leader_ != nullptr) return -1;
  if (recent >= dense) {
    wishes_->listener.store(shm::Ring::when_dry, std::memory_order_seq_cst);
    return os::monotonic_ns() + batch_ns;
  }
  wishes_->listener.store(shm::Ring::always, std::memory_order_seq_cst);
  harvest_all();  // what was committed before the wish was not rung for
  pump();
  return relook_ ? os::monotonic_ns() + batch_ns : -1;
}

void Engine::nudge_listener(Listener& listener) {
  listener.changed.fetch_add(1, std::memory_order_release);
  if (&listener == this_listener) return;  // it looks before it sleeps
  os::futex_wake(listener.changed, 1, os::FutexScope::process);
}

}  // namespace hotspare::detail
