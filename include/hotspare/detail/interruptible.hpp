#pragma once

#include <hotspare/export.hpp>

#include <atomic>
#include <functional>
#include <mutex>

namespace hotspare::detail {

/// While it lives, waits of this thread in the library can be ended: for runtimes whose signal handlers only note that a
/// signal came. If one runs just before the thread falls asleep, no system call fails with EINTR; so whoever else knows of
/// the signal calls interrupt().
class HOTSPARE_API Interruptible {
 public:
  /// to_answer: called on this thread, without locks, when a wait was interrupted. What it throws ends the wait and reaches
  /// the caller of what waited; if it throws nothing, the wait goes on.
  explicit Interruptible(void (*to_answer)());
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

  /// Any thread, any time: a wait that has not begun yet is interrupted, too.
  void interrupt();

  // For what waits.
  /// Of this thread; null: nobody ends its waits.
  static Interruptible* here() noexcept;
  bool rung() const noexcept { return rung_.load(std::memory_order_acquire); }
  /// As interrupt(), on the waiting thread itself.
  void ring() noexcept { rung_.store(true, std::memory_order_release); }
  void answer();

  /// While it lives, interrupt() calls wake() on its own thread. Neither made nor destroyed with a lock that wake() takes.
  /// After it was made, look at rung() once more before sleeping.
  class HOTSPARE_API Wake {
   public:
    Wake(Interruptible* whose, std::function<void()> wake);
    ~Wake();
    Wake(const Wake&) = delete;
    Wake& operator=(const Wake&) = delete;

   private:
    Interruptible* const whose_;
  };

 private:
  void (*const answer_)();
  Interruptible* const outer_;
  std::atomic<bool> rung_{false};
  std::mutex mutex_;
  std::function<void()> wake_;
};

}  // namespace hotspare::detail
