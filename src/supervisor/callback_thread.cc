#include "supervisor/callback_thread.hpp"

#include "os/futex.hpp"
#include "os/pi_mutex.hpp"
#include "os/signals.hpp"
#include "os/socket.hpp"
#include "os/thread.hpp"

#include <atomic>
#include <cstdint>
#include <cxxabi.h>
#include <exception>
#include <mutex>
#include <utility>

namespace hotspare::supervisor {

struct CallbackThread::State {
  os::PiMutex mutex;  ///< A real-time thread that has something to tell waits for it.
  std::atomic<std::uint32_t> bell{0};
  Callbacks queue;
  bool stopping = false;
  std::thread::id thread;
  std::string whose;

  void ring() noexcept {
    bell.fetch_add(1, std::memory_order_release);
    os::futex_wake(bell, 1, os::FutexScope::process);
  }

  /// The next one, if there is one.
  std::function<void()> take(bool& ended) {
    const std::lock_guard lock(mutex);
    ended = stopping && queue.empty();
    if (queue.empty()) return nullptr;
    std::function<void()> callback = std::move(queue.front());
    queue.pop_front();
    return callback;
  }

  void complain(const char* what) const noexcept {
    os::say_on_stderr("hotspare: a callback of %s threw, which ends only the callback: %.700s", whose.c_str(), what);
  }

  [[gnu::no_sanitize("null")]] void call(const std::function<void()>& callback) {
    try {
      callback();
    } catch (const std::exception& error) {
      complain(error.what());
    } catch (const abi::__forced_unwind&) {
      throw;  // of a thread that ends: not to be kept
    } catch (...) {
      complain("something that is no std::exception");
    }
  }

  void loop() {
    for (bool ended = false;;) {
      const std::uint32_t seen = bell.load(std::memory_order_acquire);
      if (const std::function<void()> callback = take(ended)) {
        call(callback);
      } else if (ended) {
        return;
      } else {
        os::futex_wait(bell, seen, os::FutexScope::process);
      }
    }
  }
};

CallbackThread::CallbackThread() : state_(std::make_shared<State>()) {}

CallbackThread::~CallbackThread() {
  if (is_current()) {
    Callbacks dropped;
    const std::lock_guard lock(state_->mutex);
    dropped.swap(state_->queue);
  }
  stop();
}

os::Status CallbackThread::start(std::string whose) {
  const os::SignalsBlocked blocked;
  const std::lock_guard lock(state_->mutex);
  state_->whose = std::move(whose);
  auto thread = os::start_thread([state = state_] { state->loop(); });
  if (!thread) return thread.failure();
  thread_ = std::move(*thread);
  state_->thread = thread_.get_id();
  return os::Done{};
}

void CallbackThread::run(std::function<void()> callback) {
  Callbacks one;
  one.push_back(std::move(callback));
  run(one);
}

void CallbackThread::run(Callbacks& prepared) noexcept {
  if (prepared.empty()) return;
  const std::lock_guard lock(state_->mutex);
  if (state_->stopping) return;
  state_->queue.splice(state_->queue.end(), prepared);
  state_->ring();
}

void CallbackThread::stop() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->ring();
  }
  if (!thread_.joinable()) return;
  if (is_current()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

bool CallbackThread::is_current() const {
  const std::lock_guard lock(state_->mutex);
  return state_->thread == std::this_thread::get_id();
}

}  // namespace hotspare::supervisor
