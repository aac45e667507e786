#include "os/clock.hpp"
#include "shm/no_memory.hpp"
#include "supervisor/engine.hpp"
#include "task/argument_buffers.hpp"

#include <hotspare/error.hpp>

#include <algorithm>

namespace hotspare::detail {
namespace {

/// Arguments from this size on lie in shared memory from the start: no copy is made for the worker.
constexpr std::size_t large = shm::box_payload;

/// Nothing but a timeout, for which a task has room itself.
bool is_short(const TaskOptions& options) {
  return options.soft_timeout.count() == 0 && options.queue_timeout.count() == 0 &&
         options.progress_timeout.count() == 0 && options.memory_limit == 0 && options.retries.attempts <= 1 &&
         options.key.empty() && options.name.empty() && options.tags.empty() && options.priority == 0;
}

}  // namespace

TaskRef Engine::prepare(const CallSite& site, const void* target, const TaskOptions* options, std::size_t bytes,
                        std::byte*& room) {
  must_be_in_host();  // before anything that is shared is touched
  TaskRef task(new Task(shared_from_this(), site, target));
  if (options != nullptr) {
    task->hard_limit_ns = task::limit_of(options->timeout);
    if (!is_short(*options)) {
      task->extra().options = *options;
      if (const std::string* const tag = admission_.find_gates(*task); tag != nullptr)
        throw Error("the tag \"" + *tag + "\" of a task is none that PoolOptions::tags of pool \"" + options_.name +
                    "\" names");
    }
  }
  if (bytes <= large) {
    room = task->payload.reserve(bytes);
    return task;
  }
  auto segment = arena_->allocate(bytes, 0);
  if (!segment)
    throw PayloadError("no shared memory for " + std::to_string(bytes) +
                       " bytes of arguments: " + segment.failure().text());
  room = (*segment)->data();
  task->payload.adopt(std::move(*segment), bytes);
  return task;
}

bool Engine::submit(const TaskRef& task, ArgumentBuffers* buffers, Room room, std::shared_ptr<FailedAttempt> failed) {
  must_be_in_host();
  if (host_runner_.is_current())
    throw Error("a task cannot submit to its own pool \"" + options_.name + "\": make another one");
  ArgumentBuffers::State* const attached = buffers != nullptr ? buffers->state() : nullptr;
  const std::size_t payload_bytes = task->payload.segment() != nullptr ? task->payload.segment()->size() : 0;
  const std::size_t large_bytes = payload_bytes + (attached != nullptr ? attached->counted_bytes : 0);

  Lock lock(mutex_);
  const auto no_room = [&] {
    return (options_.queue_limit != 0 && queued() >= options_.queue_limit) ||
           (large_bytes != 0 && payload_room_.bytes != 0 &&
            (payload_room_.bytes + large_bytes > payload_limit_ || payload_room_.segments >= most_payload_segments_));
  };
  if (room != Room::exceed && no_room()) {
    if (room == Room::ask && options_.when_full == WhenFull::wait && !callbacks_.is_current()) return false;
    if (options_.when_full == WhenFull::refuse || callbacks_.is_current())
      throw QueueFull("pool \"" + options_.name + "\" is full: " + std::to_string(queued()) + " tasks and " +
                      std::to_string(payload_room_.bytes >> 20) + " MB of arguments are waiting");
    ++room_waiters_;
    try {
      await(room_, lock, [&] { return closing_ || !broken_.empty() || !no_room(); });
    } catch (...) {
      lock.lock();
      --room_waiters_;
      throw;
    }
    --room_waiters_;
  }
  if (!broken_.empty()) throw PoolBroken(broken_);
  if (closing_) throw PoolClosed("pool \"" + options_.name + "\" takes no more tasks: it was shut down");
  // All that it needs while it is here. Where there is no memory for that, it never was.
  if (payload_bytes != 0) task->payload.hold(std::make_unique<Charged>(payload_room_, payload_bytes, 1));
  if (attached != nullptr) {
    task->extra().argument_buffers = std::move(attached->buffers);
    task->extra().held = std::move(attached->held);
    if (attached->counted != 0)
      task->extra().buffers_charge =
          std::make_unique<Charged>(payload_room_, attached->counted_bytes, attached->counted);
  }
  queue_.expect(*task);
  const std::int64_t limit = task->extra_ != nullptr ? task::limit_of(task->extra_->options.queue_timeout) : 0;
  if (limit != 0 && !task->extra_->alone) try {
      alarms_.set(os::monotonic_ns() + limit, task);
    } catch (...) {
      queue_.forget(*task);
      throw;
    }
  task->id = ++last_task_id_;
  ++counts_.submitted;
  unsettled_.accept(*task);
  counts_.peak_unsettled = std::max<std::uint64_t>(counts_.peak_unsettled, unsettled_.size());
  take_step([&] {
    if (quarantined(task)) return;
    if (limit != 0) arm_timer();
    if (failed != nullptr) {
      failed->task_id = task->id;
      failed->attempt = ++task->attempt;
      attempt_failed(task, std::move(failed));
      return;
    }
    if (task->extra_ != nullptr && task->extra_->alone) {
      ++counts_.put_back;
      queue_.push_front(task);
    } else {
      queue_.push_back(task);
    }
    pump_submitted();
  });
  return true;
}

Buffer Engine::buffer(std::size_t bytes) {
  must_be_in_host();
  auto segment = arena_->allocate(bytes, 0);
  if (!segment) throw shm::NoMemory(segment.failure());
  arena_->shown(**segment);
  return to_buffer(std::move(*segment), bytes);
}

TaskRef submit_bytes(Engine& engine, const CallSite& site, const void* target, const TaskOptions* options,
                     std::span<const std::byte> arguments, ArgumentBuffers* buffers) {
  std::byte* room = nullptr;
  TaskRef task = engine.prepare(site, target, options, arguments.size(), room);
  if (!arguments.empty()) std::memcpy(room, arguments.data(), arguments.size());
  engine.submit(task, buffers);
  return task;
}

TaskRef prepare(Engine& engine, const CallSite& site, const void* target, const TaskOptions* options,
                std::size_t argument_bytes, std::byte*& room) {
  return engine.prepare(site, target, options, argument_bytes, room);
}

void submit_prepared(Engine& engine, const TaskRef& task, ArgumentBuffers* buffers) { engine.submit(task, buffers); }
bool try_submit_prepared(Engine& engine, const TaskRef& task, ArgumentBuffers* buffers) {
  return engine.submit(task, buffers, Engine::Room::ask);
}
void submit_failed(Engine& engine, const TaskRef& task, ArgumentBuffers* buffers,
                   std::shared_ptr<const CrashReport> report, std::span<const std::byte> thrown) {
  auto failed = std::make_shared<FailedAttempt>();
  failed->ending = report != nullptr ? Ending::died : Ending::raised;
  failed->report = std::move(report);
  failed->payload.assign(thrown);
  engine.submit(task, buffers, Engine::Room::exceed, std::move(failed));
}
void submit_alone(Engine& engine, const TaskRef& task, ArgumentBuffers* buffers) {
  task->extra().alone = true;
  engine.submit(task, buffers, Engine::Room::exceed);
}
bool in_host(const Engine& engine) noexcept { return engine.in_host(); }

}  // namespace hotspare::detail
