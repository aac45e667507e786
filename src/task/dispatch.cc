#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/socket.hpp"
#include "shm/box.hpp"
#include "supervisor/engine.hpp"
#include "worker/segments.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <unordered_set>

/// From the queue to a worker. Handing tasks over early hides the wake; it binds nothing, because a task that has not
/// begun can be taken back (balance, fence, cancel).
namespace hotspare::detail {

using shm::SlotState;

namespace {

/// What was handed over counts as running: such a task must not wait behind another.
bool begins_at_once(const Task& task) {
  return task.extra_ != nullptr && (!task.extra_->gates.empty() || task.extra_->alone);
}

bool send_segment(const Worker& worker, worker::SegmentMessage message, std::span<const int> fds) {
  return static_cast<bool>(os::send_message(worker.ties.segments.ours, std::as_bytes(std::span(&message, 1)), fds));
}

}  // namespace

void Engine::pump() {
  while (next_may_begin()) {
    Worker* worker = choose_worker();
    if (worker == nullptr || !give_next(*worker)) break;
    if (room_waiters_ != 0) room_.notify_all();
  }
  if (queue_.empty()) balance();
  ring_doorbells();
  if (runs_in_host()) host_call_.notify_one();
}

/// The first task of the queue, to this worker. False: it cannot take it now.
bool Engine::give_next(Worker& worker) {
  Task& next = *queue_.front();
  if (begins_at_once(next) && worker.outstanding() != 0) return false;
  if (!hand_over(worker, next)) return false;
  queue_.leave(next);  // it may not be the first one any more
  return true;
}

/// As pump(), where nobody looks at the queue again by himself.
void Engine::pump_and_look() {
  pump();
  // A new worker is idle while tasks wait behind a long one: somebody has to look again whether that one has moved.
  if (!relook_) return;
  if (leader_ != nullptr) {
    call_leader();
  } else {
    nudge_listener(*listeners_.front());
  }
}

/// An idle worker, else the one with the fewest tasks, if it has room.
Worker* Engine::choose_worker() {
  Worker* best = nullptr;
  for (Worker* worker : active_) {
    if (options_.tasks_per_worker != 0 && worker->handed >= options_.tasks_per_worker) continue;
    if (worker->outstanding() == 0) return worker;
    if (worker->outstanding() >= worker->prefetch) continue;
    if (best == nullptr || worker->outstanding() < best->outstanding()) best = worker;
  }
  return best;
}

bool Engine::hand_over(Worker& worker, Task& task) {
  const std::uint64_t ticket = worker.tail;
  shm::TaskSlot& slot = worker.channel().slot(ticket);
  if (task.extra_ != nullptr) {
    for (const Buffer& buffer : task.extra_->argument_buffers)
      if (!announce(worker, *buffer.segment(), SegmentUse::read)) return false;
  }
  if (!place_arguments(worker, task, slot, ticket)) return false;
  slot.entry_module = task.site.entry.module;
  slot.entry_offset = task.site.entry.offset;
  slot.memory_limit = task.memory_limit();
  const task::Limits limits = task.limits();
  slot.timed = limits.any() || begins_at_once(task);
  slot.attempt = task.attempt;
  slot.begun_at.store(0, std::memory_order_relaxed);
  slot.ended = shm::Ended::none;
  slot.attachments = 0;
  if (worker.outstanding() == 0) worker.progressed_at = os::monotonic_ns();
  worker.task(ticket) = share(task);
  worker.tail = ticket + 1;
  ++worker.handed;
  ++counts_.in_workers;
  worker.doorbell_due = true;
  enter_gates(task);
  task.worker = worker.id;
  task.ticket = ticket;
  // SYNC POINT task-handed: acquired by the worker's look_at.
  slot.word.store(shm::pack({ticket, SlotState::queued}), std::memory_order_seq_cst);
  if (limits.any()) watch_limits(worker, limits);
  if (slot.memory_limit != 0) call_memory_watch();
  guard_memory();
  return true;
}

bool Engine::place_arguments(Worker& worker, Task& task, shm::TaskSlot& slot, std::uint64_t ticket) {
  const std::span<const std::byte> bytes = task.payload.bytes();
  std::uint64_t& inbox_end = worker.inbox_end[ticket % shm::slot_count];
  inbox_end = worker.inbox_filled;
  slot.arguments.size = bytes.size();
  if (Segment* segment = task.payload.segment(); segment != nullptr) {
    if (!announce(worker, *segment, SegmentUse::read)) return false;
    slot.arguments.place = shm::Place::segment;
    slot.arguments.at = segment->id();
  } else if (bytes.size() <= shm::slot_bytes) {
    slot.arguments.place = shm::Place::slot;
    if (!bytes.empty()) std::memcpy(slot.bytes, bytes.data(), bytes.size());
  } else {
    const auto place = shm::place_in_box(worker.inbox_filled, worker.inbox_freed, bytes.size(), shm::box_bytes);
    if (!place) return false;
    slot.arguments.place = shm::Place::box;
    slot.arguments.at = place->start % shm::box_bytes;
    std::memcpy(worker.channel().inbox + slot.arguments.at, bytes.data(), bytes.size());
    worker.inbox_filled = inbox_end = place->end;
  }
  return true;
}

/// Sends the segment's descriptor to a worker that does not have it yet, or no more. False when its socket is full: then the worker
/// is told to read it, and rings when it has.
bool Engine::announce(Worker& worker, Segment& segment, SegmentUse use) {
  const bool known = worker.known_segments.contains(segment.id());
  if (known && (use == SegmentUse::write || !worker.written_segments.contains(segment.id()))) return true;
  if (worker.known_segments.size() >= worker.known_segments_limit || worker.left_to_forks != arena_->left_to_forks())
    forget_segments(worker);
  const int fd = segment.fd().get();
  if (!send_segment(worker, {segment.id(), segment.size()}, {&fd, 1})) {
    worker.channel().read_segments.store(1, std::memory_order_seq_cst);
    worker.ring();
    return false;
  }
  worker.known_segments.insert(segment.id());
  worker.written_segments.erase(segment.id());
  return true;
}

/// Tells it of those that are gone before there are too many. A segment that one of its tasks still names is not gone:
/// that task may not have begun, or may be looking at it now.
void Engine::forget_segments(Worker& worker) {
  worker.left_to_forks = arena_->left_to_forks();
  std::unordered_set<std::uint64_t> named;
  for (std::uint64_t ticket = worker.head; ticket != worker.tail; ++ticket) {
    const TaskRef& task = worker.task(ticket);
    if (!task) continue;
    if (task->payload.segment() != nullptr) named.insert(task->payload.segment()->id());
    if (task->extra_ == nullptr) continue;
    for (const Buffer& buffer : task->extra_->argument_buffers) named.insert(buffer.segment()->id());
  }
  std::erase_if(worker.known_segments, [&](std::uint64_t id) {
    return !arena_->exists(id) && !worker.leases.contains(id) && !named.contains(id) &&
           send_segment(worker, {id, 0}, {});
  });
  std::erase_if(worker.written_segments, [&](std::uint64_t id) { return !worker.known_segments.contains(id); });
  worker.known_segments_limit = std::max<std::size_t>(32, 2 * worker.known_segments.size());
}

void Engine::ring_doorbells() {
  for (Worker* worker : active_) {
    if (!worker->doorbell_due) continue;
    worker->doorbell_due = false;
    worker->ring();
  }
}

/// A worker without work takes what another has not begun, if that one has not moved since the last look: then its
/// task is a long one, and those behind it would wait for nothing.
void Engine::balance() {
  relook_ = false;
  for (Worker* idle : active_) {
    if (idle->outstanding() != 0) continue;
    Worker* donor = nullptr;
    std::size_t most = 1;
    for (Worker* worker : active_) {
      if (worker->outstanding() <= most) continue;
      // Recalled tickets count as outstanding until the worker has passed them.
      if (const std::size_t held = worker->held(); held > most) {
        donor = worker;
        most = held;
      }
    }
    if (donor == nullptr) return;
    if (donor->head_at_last_look != donor->head) {
      donor->head_at_last_look = donor->head;
      relook_ = true;
      continue;
    }
    // No more than it can take: what is recalled must not wait in the queue beyond its limit.
    if (recall_from(*donor, idle->prefetch) == 0) return;
    while (idle->outstanding() < idle->prefetch && next_may_begin() && give_next(*idle)) {
    }
  }
}

/// Takes back the younger half of what the worker has not begun, but at most so many. Returns how many.
std::size_t Engine::recall_from(Worker& donor, std::size_t at_most) {
  std::uint64_t not_begun = 0;
  for (std::uint64_t ticket = donor.head; ticket != donor.tail; ++ticket)
    if (shm::unpack(donor.channel().slot(ticket).word.load(std::memory_order_relaxed)).state == SlotState::queued)
      ++not_begun;
  const std::size_t wanted = std::min<std::size_t>((not_begun + 1) / 2, at_most);
  std::size_t recalled = 0;
  for (std::uint64_t ticket = donor.tail; ticket != donor.head && recalled < wanted; --ticket) {
    std::uint64_t expected = shm::pack({ticket - 1, SlotState::queued});
    if (!donor.channel()
             .slot(ticket - 1)
             .word.compare_exchange_strong(expected, shm::pack({ticket - 1, SlotState::recalled}),
                                           std::memory_order_seq_cst))
      continue;
    TaskRef task = std::move(donor.task(ticket - 1));
    task->worker = 0;
    --counts_.in_workers;
    --donor.handed;
    leave_gates(*task, task::Gate::End::not_begun);
    ++counts_.recalled;
    ++recalled;
    queue_.push_front(std::move(task));
  }
  return recalled;
}

/// keep: so many of the oldest tasks, those that run among them, are not dropped.
void Engine::drop_unbegun(std::size_t keep) {
  for (Worker* worker : active_)
    while (recall_from(*worker, std::numeric_limits<std::size_t>::max()) != 0) {
    }
  unpark_all();
  std::vector<TaskRef> kept;
  for (std::size_t running = counts_.in_workers + (host_task_ ? 1 : 0);
       running + kept.size() < keep && !queue_.empty();)
    kept.push_back(queue_.pop_front());
  while (!queue_.empty()) settle(queue_.pop_front(), Ending::cancelled);
  give_up_retries();
  for (TaskRef& task : kept) queue_.push_back(std::move(task));
  pump();
}

}  // namespace hotspare::detail
