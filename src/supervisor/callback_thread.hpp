#pragma once

#include "os/result.hpp"

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>

namespace hotspare::supervisor {

/// A list, so that what is queued at a death, or when a task settles, was allocated when there was time for that.
using Callbacks = std::list<std::function<void()>>;

/// A thread that runs the user's callbacks one after another and nothing else, so that a slow one holds up no death. What
/// a callback throws is told on stderr and goes no further. Threads: any, but for start and stop.
class CallbackThread {
 public:
  CallbackThread();
  /// Ends the thread. On the thread itself, that is in a callback: what else is queued is dropped.
  ~CallbackThread();
  CallbackThread(const CallbackThread&) = delete;
  CallbackThread& operator=(const CallbackThread&) = delete;

  /// whose: for the complaint about a callback that throws.
  os::Status start(std::string whose);
  /// Before start: kept until then.
  void run(std::function<void()> callback);
  /// All of them, in their order. Needs no memory.
  void run(Callbacks& prepared) noexcept;
  /// Runs what is queued, then ends the thread. On the thread itself: marks the end.
  void stop();
  bool is_current() const;

 private:
  struct State;
  const std::shared_ptr<State> state_;  ///< The thread's, too: it may outlive this object.
  std::thread thread_;
};

}  // namespace hotspare::supervisor
