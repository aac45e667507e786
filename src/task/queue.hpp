#pragma once

#include "task/list.hpp"

#include <cstdint>
#include <functional>
#include <map>

namespace hotspare::detail {

/// Tasks waiting for a worker: those of a higher priority first, within one the first that came; one taken back from a
/// dead worker goes to the front. Each eighth to leave is the one that was submitted first, whatever its priority: nobody
/// starves.
class TaskQueue {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  /// The next to leave; null: there is none.
  Task* front() const {
    if (others_.empty()) return usual_.front();
    return empty() ? nullptr : next_list().front();
  }

  void push_back(TaskRef task) {
    TaskList& list = list_of(*task);
    list.push_back(std::move(task));
    ++size_;
  }
  void push_front(TaskRef task) {
    TaskList& list = list_of(*task);
    list.push_front(std::move(task));
    ++size_;
  }
  TaskRef pop_front() { return leave(*front()); }
  /// One that was at the front.
  TaskRef leave(Task& task) {
    ++left_;
    return remove(task);
  }
  bool holds(const Task& task) const {
    if (task.in == &usual_) return true;
    const auto other = others_.find(task.priority());
    return other != others_.end() && task.in == &other->second;
  }
  /// One that it holds.
  TaskRef remove(Task& task) {
    HS_CHECK(holds(task));
    --size_;
    return task.in->remove(task);
  }

 private:
  static constexpr std::uint64_t oldest_each = 8;

  TaskList& list_of(const Task& task) {
    const int priority = task.priority();
    return priority == 0 ? usual_ : others_[priority];
  }
  const TaskList& next_list() const {
    const TaskList* best = nullptr;
    const TaskList* oldest = nullptr;
    const auto look_at = [&](const TaskList& list) {
      if (list.empty()) return;
      if (best == nullptr) best = &list;
      if (oldest == nullptr || list.front()->id < oldest->front()->id) oldest = &list;
    };
    // Highest first; the usual ones stand between.
    auto other = others_.begin();
    for (; other != others_.end() && other->first > 0; ++other) look_at(other->second);
    look_at(usual_);
    for (; other != others_.end(); ++other) look_at(other->second);
    HS_CHECK(best != nullptr);  // it is asked only if there is one
    return left_ % oldest_each == oldest_each - 1 ? *oldest : *best;
  }

  TaskList usual_;                                  ///< Priority 0.
  std::map<int, TaskList, std::greater<>> others_;  ///< Never shrinks: programs use few.
  std::size_t size_ = 0;
  std::uint64_t left_ = 0;
};

}  // namespace hotspare::detail
