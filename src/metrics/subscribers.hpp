#pragma once

#include <hotspare/event.hpp>

#include <condition_variable>
#include <functional>
#include <mutex>

namespace hotspare::detail {

/// One subscription to all events. Threads: any.
class Subscriber {
 public:
  explicit Subscriber(std::function<void(const Event&)> call) : call_(std::move(call)) {}
  /// Calls it, if it has not ended.
  void tell(const Event& event);
  /// See Subscription::end.
  void end();

 private:
  void called_back() noexcept;

  std::mutex mutex_;
  std::condition_variable idle_;
  std::function<void(const Event&)> call_;
  unsigned calls_ = 0;  ///< Under way.
  bool ended_ = false;
};

}  // namespace hotspare::detail

namespace hotspare::metrics {

/// Whether an event needs to be told at all. Takes no lock.
bool anybody_listens() noexcept;
/// To all subscribers, on this thread. WARNING: under no lock: they are the user's.
void publish(const Event& event);

}  // namespace hotspare::metrics
