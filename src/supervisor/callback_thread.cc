#include "supervisor/callback_thread.hpp"

#include "os/futex.hpp"
#include "os/signals.hpp"

#include <mutex>
#include <utility>

namespace hotspare::supervisor {

void CallbackThread::run(std::function<void()> callback) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  queue_.push_back(std::move(callback));
  if (!thread_.joinable()) {
    const os::SignalsBlocked blocked;
    thread_ = std::thread([this] { loop(); });
  }
  ring();
}

void CallbackThread::ring() noexcept {
  bell_.fetch_add(1, std::memory_order_release);
  os::futex_wake(bell_, 1, os::FutexScope::process);
}

void CallbackThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    ring();
  }
  if (!thread_.joinable()) return;
  if (is_current()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

bool CallbackThread::is_current() const {
  const std::lock_guard lock(mutex_);
  return thread_.get_id() == std::this_thread::get_id();
}

std::function<void()> CallbackThread::take(bool& ended) {
  const std::lock_guard lock(mutex_);
  ended = stopping_ && queue_.empty();
  if (queue_.empty()) return nullptr;
  std::function<void()> callback = std::move(queue_.front());
  queue_.pop_front();
  return callback;
}

void CallbackThread::loop() {
  for (bool ended = false;;) {
    const std::uint32_t bell = bell_.load(std::memory_order_acquire);
    if (const std::function<void()> callback = take(ended)) {
      callback();
    } else if (ended) {
      return;
    } else {
      os::futex_wait(bell_, bell, os::FutexScope::process);
    }
  }
}

}  // namespace hotspare::supervisor
