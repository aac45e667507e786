#pragma once

#include "shm/segment.hpp"
#include "task/payload.hpp"

#include <hotspare/detail/task_ref.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hotspare::detail {

class CompletionSink;

/// What few tasks need, apart, so that a million queued ones stay small.
struct TaskExtra {
  TaskOptions options;
  std::int64_t look_at_ns = 0;  ///< Its place in task::Deadlines.
  std::vector<Buffer> argument_buffers;
  std::vector<std::shared_ptr<const void>> held;  ///< Until it has settled.
  std::size_t counted_bytes = 0;                  ///< Of these, what payload_limit bounds,
  std::size_t counted = 0;                        ///< and how many they are.
  bool salvaged = false;                          ///< It died, and the payload is what it had finished of many results.
  std::vector<SegmentRef> result_segments;        ///< What the result's bytes refer to by id.
  std::shared_ptr<const CrashReport> report;
  std::exception_ptr refusal;
  std::vector<std::function<void()>> callbacks;
  std::shared_ptr<CompletionSink> sink;
};

/// One task, from submit to the last future that refers to it. All but `ending` and the references is guarded by the
/// engine's mutex until the task has settled, and constant afterwards.
class Task final : public Attachments {
 public:
  Task(std::shared_ptr<Engine> owner, const CallSite& call_site, const void* target_function);
  ~Task() override;

  std::atomic<std::uint32_t> references{1};
  /// An Ending; callers sleep on it, so it is a futex word. Stored once, with release, when all else is written.
  std::atomic<std::uint32_t> ending{0};
  std::atomic<std::uint32_t> sleepers{0};

  const std::shared_ptr<Engine> engine;
  const CallSite& site;
  const void* const target;
  std::uint64_t id = 0;
  Payload payload;  ///< The arguments, and once settled the result.
  std::unique_ptr<TaskExtra> extra_;
  std::uint16_t attempt = 0;  ///< Attempts begun.
  bool queued = false;
  bool cancel_wanted = false;
  std::uint64_t worker = 0;  ///< Handed to this worker (its id), 0: none,
  std::uint64_t ticket = 0;  ///< under this ticket.
  Task* next = nullptr;      ///< In the queue.
  Task* previous = nullptr;

  TaskExtra& extra() {
    if (extra_ == nullptr) extra_ = std::make_unique<TaskExtra>();
    return *extra_;
  }
  bool settled() const { return ending.load(std::memory_order_acquire) != 0; }
  /// 0: none. One that is over before it begins ends the task at once; 100 years are as good as more, and can be added.
  std::int64_t timeout_ns() const {
    constexpr std::int64_t longest = std::chrono::nanoseconds(std::chrono::hours(24 * 36'500)).count();
    const std::int64_t wanted = extra_ == nullptr ? 0 : extra_->options.timeout.count();
    return wanted == 0 ? 0 : std::clamp<std::int64_t>(wanted, 1, longest);
  }
  std::size_t memory_limit() const { return extra_ == nullptr ? 0 : extra_->options.memory_limit; }

  // As the attachments of its own result.
  std::uint64_t attach(const Buffer& buffer) override;
  Buffer fetch(std::uint64_t handle, std::uint64_t size) override;
};

/// Tells somebody that a task settled. Called under the engine's mutex: must not block.
class CompletionSink {
 public:
  virtual ~CompletionSink() = default;
  virtual void settled(TaskRef task) = 0;
};

inline TaskRef share(Task& task) {
  task_retain(&task);
  return TaskRef(&task);
}

}  // namespace hotspare::detail
