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
    task->extra().alarm_ns = when_ns;
    alarms_.emplace(when_ns, std::move(task));
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

  template <class Predicate>
  std::vector<detail::TaskRef> take_if(Predicate wanted) {
    std::vector<detail::TaskRef> taken;
    for (auto alarm = alarms_.begin(); alarm != alarms_.end();) {
      if (!wanted(*alarm->second)) {
        ++alarm;
        continue;
      }
      alarm->second->extra_->alarm_ns = 0;
      taken.push_back(std::move(alarm->second));
      alarm = alarms_.erase(alarm);
    }
    return taken;
  }

 private:
  std::multimap<std::int64_t, detail::TaskRef> alarms_;
};

}  // namespace hotspare::task
