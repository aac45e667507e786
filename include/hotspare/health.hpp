#pragma once

#include <hotspare/event.hpp>
#include <hotspare/export.hpp>
#include <hotspare/standby_stats.hpp>
#include <hotspare/stats.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace hotspare {

/// The sum over all pools and standby channels of this process. Counters and histograms hold the closed ones, too, and never
/// go down; gauges are those of the open ones.
struct Health {
  std::uint64_t pools_open = 0;  ///< Not yet shut down to the end.
  std::uint64_t pools_made = 0;
  std::uint64_t channels_open = 0;
  std::uint64_t channels_made = 0;  ///< Those among them that could not be opened.

  Stats pools;            ///< peak_unsettled: the highest of any one pool.
  StandbyStats channels;  ///< unavailable: of the open ones, each text once.
};

/// Equal to the sum of all stats() at some moment during the call, for each pool and channel by itself. A process that was
/// forked off begins with an empty one. Threads: any, but from none that must be on time: it waits for the pools' locks.
HOTSPARE_API Health health();

/// The same figures for each kind and name, as OpenMetrics text 1.0 (application/openmetrics-text; version=1.0.0;
/// charset=utf-8), with the labels kind (pool or standby) and name. Those that share a name are summed up, closed ones among
/// them. Of each kind the first 256 names have series of their own; what comes later is summed up under the name "(others)".
/// Threads: as health().
HOTSPARE_API std::string openmetrics();

namespace detail {
class Subscriber;
}

/// Ends what subscribe began when it is destroyed or ended. Threads: one at a time.
class HOTSPARE_API Subscription {
 public:
  Subscription() = default;  ///< Of nothing.
  explicit Subscription(std::shared_ptr<detail::Subscriber> subscriber);
  ~Subscription();
  Subscription(Subscription&& other) noexcept;
  Subscription& operator=(Subscription&& other) noexcept;

  /// After that the callback is not called any more. Returns when no call is under way, but from within the callback at
  /// once. WARNING: whoever calls it must hold no lock that the callback takes.
  void end();

 private:
  std::shared_ptr<detail::Subscriber> subscriber_;
};

/// Calls on_event with each event of all pools and channels of this process, from now on, after each one's own on_event and
/// on the same thread: those of one pool or channel one at a time and in order, those of different ones maybe at the same
/// time. What it throws is told on stderr and harms nobody. A process that was forked off begins without subscribers.
/// Threads: any. Throws Error if on_event is empty.
[[nodiscard]] HOTSPARE_API Subscription subscribe(std::function<void(const Event&)> on_event);

}  // namespace hotspare
