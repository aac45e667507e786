#pragma once

#include "task/task.hpp"

#include <cstddef>

namespace hotspare::task {

/// All tasks that were accepted and have not settled, wherever they are: what a failed step has dropped is found here.
/// Intrusive; holds one reference to each. Guarded by the engine's mutex.
class Unsettled {
 public:
  bool empty() const { return first_ == nullptr; }
  std::size_t size() const { return size_; }
  detail::Task* first() const { return first_; }
  static detail::Task* after(const detail::Task& task) { return task.next_unsettled; }

  void accept(detail::Task& task) {
    detail::task_retain(&task);
    task.next_unsettled = first_;
    if (first_ != nullptr) first_->previous_unsettled = &task;
    first_ = &task;
    ++size_;
  }
  /// It has settled. The caller holds a reference of his own.
  void forget(detail::Task& task) {
    (task.previous_unsettled != nullptr ? task.previous_unsettled->next_unsettled : first_) = task.next_unsettled;
    if (task.next_unsettled != nullptr) task.next_unsettled->previous_unsettled = task.previous_unsettled;
    task.next_unsettled = task.previous_unsettled = nullptr;
    --size_;
    detail::task_release(&task);
  }

 private:
  detail::Task* first_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace hotspare::task
