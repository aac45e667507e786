#include "metrics/subscribers.hpp"
#include "os/clock.hpp"
#include "supervisor/engine.hpp"

#include <hotspare/error.hpp>

#include <csignal>

/// What the supervisor does between its notices: tells, breaks, gives back memory, ends.
namespace hotspare::detail {

void Engine::break_pool(const std::string& why) {
  if (!broken_.empty()) return;
  broken_ = why;
  tell(Event::Kind::broken, [&](Event& event) { event.detail = why; });
  refuse_queued();
  room_.notify_all();
  started_.notify_all();
}

void Engine::refuse_queued() {
  give_up_retries();
  admission_.unpark_all();
  while (!queue_.empty()) refuse(queue_.pop_front(), [this] { return PoolBroken(broken_); });
}

void Engine::tell(Event event) {
  if (!options_.on_event && !metrics::anybody_listens()) return;
  event.at = std::chrono::steady_clock::now();
  event.source_name = options_.name;
  callbacks_.run([self = this, event = std::move(event)] {
    if (self->options_.on_event && !self->abandoned_.load(std::memory_order_acquire)) self->options_.on_event(event);
    metrics::publish(event);
  });
}

void Engine::watch_warm_memory() {
  if (!trim_wanted_.exchange(false, std::memory_order_relaxed)) return;
  trim_at_ = os::monotonic_ns() + 1;
  arm_timer();
}

/// Off the engine's threads: to free much takes milliseconds.
void Engine::give_back_warm_memory() {
  const auto trim = [this] { return arena_->trim(os::monotonic_ns()); };
  trim_at_ = 0;
  try {
    coroner_.run([this, trim] {
      const std::int64_t again = trim();
      if (again == 0) return;
      const Lock lock(mutex_);
      trim_at_ = again;
      arm_timer();
    });
  } catch (const std::bad_alloc&) {
    trim_at_ = trim();
  }
}

bool Engine::is_over() {
  if (closed_) return true;
  if (!closing_ || !closing_done()) return false;
  end_on_callback_thread();
  return true;
}

/// One step further towards the end, as far as it can go now. True when nothing is left.
bool Engine::closing_done() {
  if (closed_) return true;
  if (!unsettled_.empty()) return false;
  for_each_worker([this](Worker& worker) {
    if (worker.state != workers::State::leaving && worker.state != workers::State::condemned) retire(worker);
  });
  if (!workers_.empty()) {
    constexpr std::int64_t grace_ns = 2'000'000'000;
    constexpr unsigned most_rounds = 5;
    const std::int64_t now = os::monotonic_ns();
    if (leave_deadline_ == 0) {
      leave_deadline_ = now + grace_ns;
      arm_timer();
    } else if (now >= leave_deadline_) {
      for_each_worker([this](Worker& worker) {
        if (!worker.pidfd) return;
        if (worker.state == workers::State::leaving) worker.evidence.ended_by = death::EndedBy::shutdown;
        kill(worker);
      });
      ++leave_rounds_;
      leave_deadline_ = now + grace_ns;
      arm_timer();
    }
    if (leave_rounds_ < most_rounds) return false;
    leave_the_unkillable();
    if (!workers_.empty()) return false;
  }
  closed_ = true;
  return true;
}

}  // namespace hotspare::detail
