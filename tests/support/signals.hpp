#pragma once

#include <condition_variable>
#include <mutex>

namespace hotspare::testing {

/// Counts what one thread gives and another takes. Not std::counting_semaphore: libstdc++ 12's can sleep for ever (GCC bug
/// 104928), and it may not be destroyed by the taker while the giver is still in release().
class Signals {
 public:
  void give() {
    std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  void take(int count = 1) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= count; });
    count_ -= count;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

}  // namespace hotspare::testing
