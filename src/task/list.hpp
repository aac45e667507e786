#pragma once

#include "os/check.hpp"
#include "task/task.hpp"

namespace hotspare::detail {

/// Tasks in a row, first in, first out. Holds one reference to each. Intrusive: a task is in one list at most, and can be
/// taken out of the middle.
class TaskList {
 public:
  TaskList() = default;
  TaskList(const TaskList&) = delete;  // tasks know where they are
  TaskList& operator=(const TaskList&) = delete;

  bool empty() const { return first_ == nullptr; }
  std::size_t size() const { return size_; }
  Task* front() const { return first_; }
  Task* back() const { return last_; }

  void push_back(TaskRef task) { link(task.release(), last_, nullptr); }
  void push_front(TaskRef task) { link(task.release(), nullptr, first_); }
  /// Null: at the back.
  void insert_before(Task* where, TaskRef task) {
    link(task.release(), where != nullptr ? where->previous : last_, where);
  }
  TaskRef pop_front() { return remove(*first_); }
  TaskRef remove(Task& task) {
    HS_CHECK(task.in == this);
    (task.previous != nullptr ? task.previous->next : first_) = task.next;
    (task.next != nullptr ? task.next->previous : last_) = task.previous;
    task.next = task.previous = nullptr;
    task.in = nullptr;
    --size_;
    return TaskRef(&task);
  }

 private:
  void link(Task* task, Task* previous, Task* next) {
    task->previous = previous;
    task->next = next;
    (previous != nullptr ? previous->next : first_) = task;
    (next != nullptr ? next->previous : last_) = task;
    task->in = this;
    ++size_;
  }

  Task* first_ = nullptr;
  Task* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace hotspare::detail
