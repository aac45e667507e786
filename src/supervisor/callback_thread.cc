#include "supervisor/callback_thread.hpp"

#include "os/signals.hpp"

#include <utility>

namespace hotspare::supervisor {

void CallbackThread::run(std::function<void()> callback) {
  std::lock_guard lock(mutex_);
  if (stopping_) return;
  queue_.push_back(std::move(callback));
  if (!thread_.joinable()) {
    const os::SignalsBlocked blocked;
    thread_ = std::thread([this] { loop(); });
  }
  changed_.notify_one();
}

void CallbackThread::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (!thread_.joinable()) return;
  if (is_current()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

bool CallbackThread::is_current() const {
  std::lock_guard lock(mutex_);
  return thread_.get_id() == std::this_thread::get_id();
}

void CallbackThread::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::function<void()> callback = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    callback();
    callback = nullptr;
    lock.lock();
  }
}

}  // namespace hotspare::supervisor
