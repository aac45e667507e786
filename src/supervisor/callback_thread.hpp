#pragma once

#include "os/pi_mutex.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <thread>

namespace hotspare::supervisor {

/// A thread that runs the user's callbacks one after another and nothing else, so that a slow one holds up no death.
/// Started when there is a first one. Threads: any.
class CallbackThread {
 public:
  ~CallbackThread() { stop(); }
  void run(std::function<void()> callback);
  /// Runs what is queued, then ends the thread. From the thread itself: only marks the end.
  void stop();
  bool is_current() const;

 private:
  void loop();
  void ring() noexcept;
  /// The next one, if there is one.
  std::function<void()> take(bool& ended);
  mutable os::PiMutex mutex_;  ///< A real-time thread that has something to tell waits for it.
  std::atomic<std::uint32_t> bell_{0};
  std::deque<std::function<void()>> queue_;
  std::thread thread_;
  bool stopping_ = false;
};

}  // namespace hotspare::supervisor
