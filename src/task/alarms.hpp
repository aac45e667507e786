#pragma once

#include "task/task.hpp"

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace hotspare::task {

/// Tasks that are to be looked at at some time: each has one alarm at most. Those of running tasks are not here but with
/// their workers (limits.hpp), of which there are few.
class Alarms {
 public:
  /// In place of the one that it had.
  void set(std::int64_t when_ns, detail::TaskRef task) {
    forget(*task);
    detail::TaskExtra& extra = task->extra();
    alarms_.emplace(when_ns, std::move(task));
    extra.alarm_ns = when_ns;
  }
  void forget(const detail::Task& task) {
    if (task.extra_ == nullptr || task.extra_->alarm_ns == 0) return;
    const auto [first, last] = alarms_.equal_range(std::exchange(task.extra_->alarm_ns, 0));
    for (auto alarm = first; alarm != last; ++alarm) {
      if (alarm->second.get() != &task) continue;
      alarms_.erase(alarm);
      return;
    }
  }
  bool empty() const { return alarms_.empty(); }
  std::int64_t first() const { return alarms_.empty() ? 0 : alarms_.begin()->first; }
  /// The next task whose alarm is due, or none.
  detail::TaskRef take_due(std::int64_t now_ns) {
    if (alarms_.empty() || alarms_.begin()->first > now_ns) return {};
    detail::TaskRef task = std::move(alarms_.begin()->second);
    alarms_.erase(alarms_.begin());
    task->extra_->alarm_ns = 0;
    return task;
  }

  using Taken = std::multimap<std::int64_t, detail::TaskRef>;
  /// Needs no memory.
  template <class Predicate>
  Taken take_if(Predicate wanted) {
    Taken taken;
    for (auto alarm = alarms_.begin(); alarm != alarms_.end();) {
      const auto next = std::next(alarm);
      if (wanted(*alarm->second)) {
        alarm->second->extra_->alarm_ns = 0;
        taken.insert(alarms_.extract(alarm));
      }
      alarm = next;
    }
    return taken;
  }

 private:
  Taken alarms_;
};

}  // namespace hotspare::task
