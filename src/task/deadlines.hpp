#pragma once

#include "task/task.hpp"

#include <cstdint>
#include <map>
#include <utility>

namespace hotspare::task {

/// When to look at which timed task. Not when it ends: a task handed over early begins late, so at each look the time
/// its worker noted decides (next_look).
class Deadlines {
 public:
  void look_at(std::int64_t when_ns, detail::TaskRef task) {
    task->extra().look_at_ns = when_ns;
    looks_.emplace(when_ns, std::move(task));
  }
  /// It has settled: nothing to look at.
  void forget(const detail::Task& task) {
    const auto [first, last] = looks_.equal_range(task.extra_->look_at_ns);
    for (auto look = first; look != last; ++look) {
      if (look->second.get() != &task) continue;
      looks_.erase(look);
      return;
    }
  }
  bool empty() const { return looks_.empty(); }
  std::int64_t first() const { return looks_.empty() ? 0 : looks_.begin()->first; }
  /// The next task whose look is due, or none.
  detail::TaskRef take_due(std::int64_t now_ns) {
    if (looks_.empty() || looks_.begin()->first > now_ns) return {};
    detail::TaskRef task = std::move(looks_.begin()->second);
    looks_.erase(looks_.begin());
    return task;
  }

 private:
  std::multimap<std::int64_t, detail::TaskRef> looks_;
};

/// What a look at a timed task decides.
struct Look {
  bool expired = false;
  std::int64_t again_at = 0;  ///< If not expired: when it may be, at the earliest.
};
/// begun_at 0: it has not begun, or has only just.
constexpr Look next_look(std::int64_t now, std::int64_t begun_at, std::int64_t timeout) {
  if (begun_at <= 0 || begun_at > now) return {false, now + timeout};
  const std::int64_t end = begun_at + timeout;
  return end <= now ? Look{true, 0} : Look{false, end};
}
static_assert(next_look(100, 0, 50).again_at == 150);
static_assert(next_look(100, 60, 50).again_at == 110);
static_assert(next_look(100, 50, 50).expired);

}  // namespace hotspare::task
