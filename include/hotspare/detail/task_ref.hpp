#pragma once

#include <hotspare/error.hpp>
#include <hotspare/export.hpp>
#include <hotspare/options.hpp>
#include <hotspare/serialize.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace hotspare {

/// How far a running task is, in its own words.
struct Progress {
  std::uint64_t done = 0;
  std::uint64_t total = 0;  ///< 0: not known.
  std::string note;
};

}  // namespace hotspare

/// The line between the templates in these headers and the engine in the library.
namespace hotspare::detail {

class Engine;
class Task;

HOTSPARE_API void task_retain(Task* task) noexcept;
HOTSPARE_API void task_release(Task* task) noexcept;

/// One counted reference to a task.
class TaskRef {
 public:
  TaskRef() noexcept = default;
  explicit TaskRef(Task* adopted) noexcept : task_(adopted) {}
  TaskRef(const TaskRef& other) noexcept : task_(other.task_) {
    if (task_ != nullptr) task_retain(task_);
  }
  TaskRef(TaskRef&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
  TaskRef& operator=(TaskRef other) noexcept {
    std::swap(task_, other.task_);
    return *this;
  }
  ~TaskRef() {
    if (task_ != nullptr) task_release(task_);
  }
  Task* get() const noexcept { return task_; }
  Task& operator*() const noexcept { return *task_; }
  Task* operator->() const noexcept { return task_; }
  explicit operator bool() const noexcept { return task_ != nullptr; }
  /// The reference is the caller's.
  Task* release() noexcept { return std::exchange(task_, nullptr); }

 private:
  Task* task_ = nullptr;
};

/// Where code is, in a way that holds in another process image: which module, and how far into it.
struct FunctionRef {
  std::uint64_t module = 0;
  std::uint64_t offset = 0;
};
/// Throws Error when no loaded module holds the address.
HOTSPARE_API FunctionRef locate(const void* address);
/// Throws Error when this process image has no such module, saying how that comes about.
HOTSPARE_API void* resolve(FunctionRef reference);

/// Throws Error if an aligned word of these bytes is an address of this process's memory that its workers do not share.
HOTSPARE_API void refuse_addresses(const Engine& engine, std::span<const std::byte> bytes, const char* type_name);

/// What a running task sees of the engine: its arguments, and the way its result goes.
class HOTSPARE_API TaskContext : public Attachments {
 public:
  ~TaskContext() override;
  virtual std::span<const std::byte> arguments() const = 0;
  /// Room for the result, to be written at once; called at most once.
  virtual std::byte* reserve_result(std::size_t bytes) = 0;
  /// Instead of reserve_result(), for a task that has many results: room for the next one, to be written at once. What was
  /// attached since the last one belongs to it. raised: it is an exception, in the runtime's own form.
  virtual std::byte* reserve_part(std::size_t bytes, bool raised = false) = 0;
  /// It is written: from now on it outlives this worker. A timeout begins anew.
  virtual void give_part() = 0;
  /// The exception being handled is the next one. Call inside a catch block.
  virtual void give_raised_part() = 0;
  /// That was all.
  virtual void end_parts() = 0;
  /// As fetch(), but writable, and what is written stays in this process. Pages not yet written may change once the task
  /// has ended: write to each of those that are to be kept.
  virtual Buffer fetch_private(std::uint64_t handle, std::uint64_t size) = 0;
  /// The result that was or will be written is an exception, in the runtime's own form.
  virtual void mark_raised() = 0;
};
using Entry = void (*)(TaskContext&);

/// What is the same for all calls of one kind: where the code is, and what to call it in reports.
struct CallSite {
  FunctionRef entry;
  const char* type_name;  ///< Mangled name of the callable's type.
  bool many = false;      ///< It gives parts: what fails and may be made again is one of them, never the whole.
};

/// Attachments of one submission: keeps the Buffers alive until the task has settled.
class HOTSPARE_API ArgumentBuffers : public Attachments {
 public:
  ArgumentBuffers();
  ~ArgumentBuffers() override;
  std::uint64_t attach(const Buffer& buffer) override;
  Buffer fetch(std::uint64_t handle, std::uint64_t size) override;
  /// Forgets what a first, measuring pass attached.
  void rewind();
  /// Keeps something alive until the task has settled.
  void hold(std::shared_ptr<const void> what);
  /// The last attached Buffer counts among the arguments that PoolOptions::payload_limit bounds.
  void count_last();
  struct State;
  State* state() const { return state_.get(); }

 private:
  std::unique_ptr<State> state_;
};

/// Submits a call whose arguments are these bytes. options may be null. Throws PoolClosed, PoolBroken, QueueFull.
HOTSPARE_API TaskRef submit_bytes(Engine& engine, const CallSite& site, const void* target, const TaskOptions* options,
                                  std::span<const std::byte> arguments, ArgumentBuffers* buffers);
/// The same in two steps for large arguments: room for them, then the submission itself.
HOTSPARE_API TaskRef prepare(Engine& engine, const CallSite& site, const void* target, const TaskOptions* options,
                             std::size_t argument_bytes, std::byte*& room);
HOTSPARE_API void submit_prepared(Engine& engine, const TaskRef& task, ArgumentBuffers* buffers);
/// The same, but false instead of waiting when the pool has no room; then nothing has happened.
HOTSPARE_API bool try_submit_prepared(Engine& engine, const TaskRef& task, ArgumentBuffers* buffers);
/// Submits what has failed once already as a part of a task of many: whether it is run again, and when, its Retries say.
/// report: of its worker's death; null: it threw, and these bytes are the exception. Never waits for room.
HOTSPARE_API void submit_failed(Engine& engine, const TaskRef& task, ArgumentBuffers* buffers,
                                std::shared_ptr<const CrashReport> report, std::span<const std::byte> thrown);
/// Submits what was ended as a part of a task of many to make room for others (made_room): it runs alone, and that run is
/// not counted as an attempt. Never waits for room.
HOTSPARE_API void submit_alone(Engine& engine, const TaskRef& task, ArgumentBuffers* buffers);
/// False in a process that was forked from the one that made the pool: only submissions are refused in a clean way there,
/// so ask before all else.
HOTSPARE_API bool in_host(const Engine& engine) noexcept;
/// Sends the signal to each worker that is inside a task.
HOTSPARE_API void signal_running(Engine& engine, int signal);

/// How a task ended. Order is that of the wire.
enum class Ending : std::uint8_t { pending, value, raised, died, cancelled, refused };

HOTSPARE_API bool is_ready(const Task& task) noexcept;
/// A worker is running it at this moment.
HOTSPARE_API bool has_begun(const TaskRef& task);
HOTSPARE_API std::optional<Progress> progress_of(const TaskRef& task);
/// Of an attempt that threw: the exception, in the runtime's own form.
HOTSPARE_API std::span<const std::byte> thrown_bytes(const Failure& failure) noexcept;
/// Waits; false when the deadline came first. A negative timeout waits for ever.
HOTSPARE_API bool wait(const TaskRef& task, std::chrono::nanoseconds timeout);
HOTSPARE_API Ending ending(const Task& task) noexcept;
/// Bytes of the result. Only when ending() is value.
HOTSPARE_API std::span<const std::byte> result_bytes(const Task& task) noexcept;
/// What the task had finished of its many results when its worker died; see parts.hpp. Only when ending() is died.
HOTSPARE_API std::span<const std::byte> salvaged_parts(const Task& task) noexcept;
/// It did not die by any fault of its own: it was ended to make room for others (PoolOptions::memory_budget), and what it was
/// running may be run again by submit_alone. Only when ending() is died.
HOTSPARE_API bool made_room(const Task& task) noexcept;
/// The exception that a raised part holds.
HOTSPARE_API std::exception_ptr part_failure(std::span<const std::byte> part);
HOTSPARE_API Attachments* result_attachments(const Task& task) noexcept;
/// The exception of a task that ended in any other way than with a value.
HOTSPARE_API std::exception_ptr failure(const Task& task);
HOTSPARE_API std::shared_ptr<const CrashReport> crash_report(const Task& task);
HOTSPARE_API bool cancel(const TaskRef& task, bool kill);
HOTSPARE_API void on_done(const TaskRef& task, std::function<void()> callback);
HOTSPARE_API std::uint64_t task_id(const Task& task) noexcept;

/// Tasks in the order in which they settle.
class HOTSPARE_API Completions {
 public:
  explicit Completions(Engine& engine);
  ~Completions();
  Completions(const Completions&) = delete;
  Completions& operator=(const Completions&) = delete;
  /// From now on take() will give this task once, as soon as it has settled.
  void watch(const TaskRef& task);
  /// The next settled task; waits for it. Only while there are watched tasks not yet taken.
  TaskRef take();
  /// All that have settled and were not taken; waits until there is one, or until end(): then none may come.
  std::vector<TaskRef> take_all();
  /// The same without waiting: there may be none.
  std::vector<TaskRef> take_ready();
  /// Ends the waits of take_all(), for ever. Any thread.
  void end();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hotspare::detail
