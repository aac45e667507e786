#pragma once

#include "task/heap.hpp"
#include "task/list.hpp"

#include <cstdint>

namespace hotspare::detail {

/// Tasks waiting for a worker: those of a higher priority first, within one the first that came; one taken back from a
/// worker has its place again. Each eighth to leave is the one that was submitted first, whatever its priority: nobody
/// starves.
class TaskQueue {
 public:
  bool empty() const { return size() == 0; }
  std::size_t size() const { return usual_.size() + others_.size(); }
  /// The next to leave; null: there is none.
  Task* front() const {
    if (others_.empty()) return usual_.front();
    return left_ % oldest_each == oldest_each - 1 ? oldest() : best();
  }

  /// Before a task is first put here: after that none of the steps below allocates for it, until forget().
  void expect(const Task& task) {
    if (task.priority() == 0) return;
    by_priority_.reserve(expected_ + 1);
    by_age_.reserve(expected_ + 1);
    ++expected_;
  }
  void forget(const Task& task) { expected_ -= task.priority() != 0 ? 1 : 0; }

  void push_back(TaskRef task) {
    if (task->priority() == 0) return usual_.push_back(std::move(task));
    insert(std::move(task), ++newest_);
  }
  void push_front(TaskRef task) {
    if (task->priority() == 0) return usual_.push_front(std::move(task));
    insert(std::move(task), --foremost_);
  }
  /// One that has been here before, and did not begin: where it would be if it had never left. Of very many of these not all
  /// are that exact.
  void put_back(TaskRef task) {
    if (task->priority() != 0) {
      const std::int64_t turn = task->extra_->queued.turn;
      return insert(std::move(task), turn);
    }
    Task* next = usual_.front();
    for (int steps = 0; next != nullptr && next->id < task->id && steps < most_steps; ++steps) next = next->next;
    usual_.insert_before(next, std::move(task));
  }
  /// Several such, those that are to run first in front. One walk for all.
  void put_back_all(TaskList& tasks) {
    Task* next = usual_.front();
    std::uint64_t last_id = 0;
    int steps = 0;
    while (!tasks.empty()) {
      TaskRef task = tasks.pop_front();
      if (task->priority() != 0) {
        put_back(std::move(task));
        continue;
      }
      if (task->id < last_id) next = usual_.front();
      last_id = task->id;
      for (; next != nullptr && next->id < task->id && steps < most_steps; ++steps) next = next->next;
      usual_.insert_before(next, std::move(task));
    }
  }
  TaskRef pop_front() { return leave(*front()); }
  /// One that was at the front.
  TaskRef leave(Task& task) {
    ++left_;
    return remove(task);
  }
  bool holds(const Task& task) const { return task.in == &usual_ || task.in == &others_; }
  /// One that it holds.
  TaskRef remove(Task& task) {
    HS_CHECK(holds(task));
    if (task.in == &others_) {
      by_priority_.remove(task);
      by_age_.remove(task);
    }
    return task.in->remove(task);
  }

 private:
  static constexpr std::uint64_t oldest_each = 8;
  static constexpr int most_steps = 1024;

  struct ByPriority {
    static bool before(const Task& a, const Task& b) {
      if (a.priority() != b.priority()) return a.priority() > b.priority();
      return a.extra_->queued.turn < b.extra_->queued.turn;
    }
    static std::size_t& place(Task& task) { return task.extra_->queued.by_priority; }
  };
  struct ByAge {
    static bool before(const Task& a, const Task& b) { return a.id < b.id; }
    static std::size_t& place(Task& task) { return task.extra_->queued.by_age; }
  };

  void insert(TaskRef task, std::int64_t turn) {
    Task& inserted = *task;
    inserted.extra_->queued.turn = turn;
    by_priority_.insert(inserted);
    by_age_.insert(inserted);
    others_.push_back(std::move(task));
  }
  // Those of priority 0 stand between. Asked only if there are others.
  Task* best() const {
    Task* const other = by_priority_.first();
    return usual_.empty() || other->priority() > 0 ? other : usual_.front();
  }
  Task* oldest() const {
    Task* const other = by_age_.first();
    return usual_.empty() || other->id < usual_.front()->id ? other : usual_.front();
  }

  TaskList usual_;   ///< Priority 0, in their order.
  TaskList others_;  ///< In no order: the heaps know it.
  task::Heap<Task, ByPriority> by_priority_;
  task::Heap<Task, ByAge> by_age_;
  std::size_t expected_ = 0;
  std::int64_t newest_ = 0;    ///< The last turn given at the back,
  std::int64_t foremost_ = 0;  ///< and at the front.
  std::uint64_t left_ = 0;
};

/// Tasks on their way back into a queue: they are there when this ends, however it ends. Those that are to run first in front.
struct ComingBack {
  explicit ComingBack(TaskQueue& to) : queue(to) {}
  ~ComingBack() { queue.put_back_all(tasks); }
  ComingBack(const ComingBack&) = delete;
  ComingBack& operator=(const ComingBack&) = delete;

  TaskQueue& queue;
  TaskList tasks;
};

}  // namespace hotspare::detail
