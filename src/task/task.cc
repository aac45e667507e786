#include "task/task.hpp"

#include "supervisor/engine.hpp"
#include "task/retry.hpp"
#include "worker/raised.hpp"

#include <hotspare/error.hpp>

namespace hotspare::detail {

Attachments::~Attachments() = default;
TaskContext::~TaskContext() = default;

Task::Task(std::shared_ptr<Engine> owner, const CallSite& call_site, const void* target_function)
    : engine(std::move(owner)), site(call_site), target(target_function) {}
Task::~Task() = default;

std::uint64_t Task::attach(const Buffer&) { return 0; }

Buffer Task::fetch(std::uint64_t handle, std::uint64_t size) {
  if (handle == 0) return {};
  if (extra_ != nullptr) {
    for (const SegmentRef& segment : extra_->result_segments) {
      if (segment->id() != handle) continue;
      if (size > segment->size()) throw PayloadError("a Buffer in the result is larger than its segment");
      return to_buffer(share(segment.get()), static_cast<std::size_t>(size));
    }
  }
  throw PayloadError("a Buffer in the result refers to a segment that the worker did not own");
}

void task_retain(Task* task) noexcept { task->references.fetch_add(1, std::memory_order_relaxed); }
void task_release(Task* task) noexcept {
  if (task->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete task;
}

bool is_ready(const Task& task) noexcept { return task.settled(); }
Ending ending(const Task& task) noexcept { return static_cast<Ending>(task.ending.load(std::memory_order_acquire)); }
std::uint64_t task_id(const Task& task) noexcept { return task.id; }
std::span<const std::byte> result_bytes(const Task& task) noexcept { return task.payload.bytes(); }
Attachments* result_attachments(const Task& task) noexcept { return const_cast<Task*>(&task); }

std::span<const std::byte> salvaged_parts(const Task& task) noexcept {
  return task.extra_ != nullptr && task.extra_->salvaged ? task.payload.bytes() : std::span<const std::byte>();
}
bool made_room(const Task& task) noexcept { return task.extra_ != nullptr && task.extra_->made_room; }
std::exception_ptr part_failure(std::span<const std::byte> part) { return decode_exception(part); }

std::shared_ptr<const CrashReport> crash_report(const Task& task) {
  return task.extra_ != nullptr ? task.extra_->report : nullptr;
}

std::exception_ptr failure(const Task& task) {
  switch (ending(task)) {
    case Ending::raised: return decode_exception(task.payload.bytes());
    case Ending::died: return death_error(*task.extra_->report);
    case Ending::cancelled:
      return std::make_exception_ptr(Cancelled("task " + std::to_string(task.id) + " was cancelled"));
    case Ending::refused:
      if (task.extra_ != nullptr && task.extra_->refusal != nullptr) return task.extra_->refusal;
      // Refused without a word: there was no memory for one.
      return std::make_exception_ptr(
          PayloadError("the host had no memory for the arguments or the result of task " + std::to_string(task.id)));
    case Ending::pending:
    case Ending::value: break;
  }
  return nullptr;
}

}  // namespace hotspare::detail
