#pragma once

#include "shm/segment.hpp"
#include "task/limits.hpp"
#include "task/payload.hpp"

#include <hotspare/detail/task_ref.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace hotspare::detail {

class CompletionSink;
class TaskList;
struct FailedAttempt;
struct GateAndQueue;

/// Where a task is whose attempt has failed and that may get another one.
enum class Between : unsigned char { none, asking, pausing };

/// The place of a task with a priority in its queue, as that keeps it.
struct PlaceInQueue {
  std::int64_t turn = 0;
  std::size_t by_priority = 0;
  std::size_t by_age = 0;
};

/// What few tasks need, apart, so that a million queued ones stay small.
struct TaskExtra {
  TaskOptions options;
  std::int64_t alarm_ns = 0;  ///< Its place in task::Alarms; 0: none.
  std::vector<Buffer> argument_buffers;
  std::vector<std::shared_ptr<const void>> held;  ///< Until it has settled.
  Charge buffers_charge;                          ///< Of the Buffers that payload_limit bounds.
  PlaceInQueue queued;
  bool salvaged = false;                    ///< It died, and the payload is what it had finished of many results.
  std::vector<SegmentRef> result_segments;  ///< What the result's bytes refer to by id.
  std::shared_ptr<const CrashReport> report;
  std::vector<std::shared_ptr<const CrashReport>> deaths;  ///< Of attempts before the last one.
  std::shared_ptr<FailedAttempt> failed;                   ///< The last one, while another may come.
  Between between = Between::none;
  bool alone = false;      ///< While it runs no other task begins.
  bool made_room = false;  ///< Of many results: it died to make room for others.
  unsigned memory_deaths = 0;
  std::vector<GateAndQueue*> gates;  ///< Of its tags.
  std::int64_t entered_ns = 0;       ///< When it passed them; 0: it is not inside.
  std::int64_t pause_ns = 0;         ///< Before its last attempt.
  std::exception_ptr refusal;
  std::list<std::function<void()>> callbacks;  ///< To be given to whoever runs them without a copy.
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
  std::uint16_t attempt = 0;  ///< Attempts that have failed.

  const std::shared_ptr<Engine> engine;
  const CallSite& site;
  const void* const target;
  std::uint64_t id = 0;
  [[no_unique_address]] Payload payload;  ///< The arguments, and once settled the result.
  std::unique_ptr<TaskExtra> extra_;
  std::int64_t hard_limit_ns = 0;  ///< TaskOptions::timeout: here, as it is what many tasks have and nothing else.
  std::uint64_t worker = 0;        ///< Handed to this worker (its id), 0: none,
  std::uint64_t ticket = 0;        ///< under this ticket.
  TaskList* in = nullptr;          ///< Where it waits; null: it does not.
  Task* next = nullptr;            ///< There.
  Task* previous = nullptr;
  Task* next_unsettled = nullptr;  ///< In task::Unsettled.
  Task* previous_unsettled = nullptr;

  TaskExtra& extra() {
    if (extra_ == nullptr) extra_ = std::make_unique<TaskExtra>();
    return *extra_;
  }
  bool settled() const { return ending.load(std::memory_order_acquire) != 0; }
  task::Limits limits() const {
    task::Limits limits{.hard = hard_limit_ns};
    if (extra_ == nullptr) return limits;
    limits.soft = task::limit_of(extra_->options.soft_timeout);
    limits.progress = task::limit_of(extra_->options.progress_timeout);
    limits.grace = task::limit_of(extra_->options.grace);
    return limits;
  }
  int priority() const { return extra_ == nullptr ? 0 : extra_->options.priority; }
  std::size_t memory_limit() const { return extra_ == nullptr ? 0 : extra_->options.memory_limit; }

  // As the attachments of its own result.
  std::uint64_t attach(const Buffer& buffer) override;
  Buffer fetch(std::uint64_t handle, std::uint64_t size) override;
};

// A million may be queued, and each fork of the host copies their page table.
static_assert(sizeof(void*) != 8 || sizeof(Task) <= 208);

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
