#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
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
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  std::thread thread_;
  bool stopping_ = false;
};

}  // namespace hotspare::supervisor
