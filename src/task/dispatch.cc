#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/socket.hpp"
#include "shm/box.hpp"
#include "supervisor/engine.hpp"
#include "worker/segments.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <unordered_set>

/// From the queue to a worker. Handing tasks over early hides the wake; it binds nothing, because a task that has not
/// begun can be taken back (order.cc, silence.cc, fence, cancel).
namespace hotspare::detail {

namespace {

/// What was handed over counts as running: such a task must not wait behind another.
task::Begins begins(const Task& task) {
  const bool at_once = task.extra_ != nullptr && (!task.extra_->gates.empty() || task.extra_->alone);
  return at_once ? task::Begins::at_once : task::Begins::in_turn;
}

os::Status send_segment(const Worker& worker, worker::SegmentMessage message, std::span<const int> fds) {
  return os::send_message(worker.ties.segments.ours, std::as_bytes(std::span(&message, 1)), fds);
}

}  // namespace

/// Hands out what can be, and looks whether somebody stands still. Where that can't be said yet and nobody was to look again,
/// whoever looks after results is called: he sleeps until some come, and from then on only for a moment.
void Engine::pump() {
  const bool wanted_before = standstill_.wanted();
  standstill_.begin();
  do {
    hand_out();
  } while (take_from_the_still());
  if (queue_.empty()) balance();
  ring_all();
  if (!standstill_.wanted() || wanted_before) return;
  if (leader_ != nullptr) {
    call_leader();
  } else {
    call_results_listener();
  }
}

/// As pump(), for who submits: where somebody looks again soon anyway, it is not looked at here.
void Engine::pump_submitted() {
  if (!standstill_.wanted()) return pump();
  hand_out();
  ring_all();
}

void Engine::ring_all() {
  dispatcher_.ring_all([](task::Candidate& candidate) { worker_of(candidate).ring(); });
  if (runs_in_host()) host_runner_.call();
}

void Engine::hand_out() {
  while (next_may_begin()) {
    task::Candidate* const next = dispatcher_.choose(begins(*queue_.front()));
    if (next == nullptr) return;
    if (next->account.held() == 0 && recall_oldest()) continue;
    if (!give_next(worker_of(*next))) return;
    if (room_waiters_ != 0) room_.notify_all();
  }
}

/// Whether the first task of the queue may begin; before that those that must wait elsewhere have gone there, and those
/// whose key is in quarantine have ended.
bool Engine::next_may_begin() {
  using May = task::Admission::Answer::May;
  if (admission_.is_closed(counts_.in_workers)) return false;
  while (Task* next = queue_.front()) {
    if (runs_in_host() && turned_away(*next)) continue;
    if (next->extra_ != nullptr && quarantine_.any() && quarantined(share(*next))) continue;
    const task::Admission::Answer answer = admission_.ask(*next);
    if (answer.may != May::wait_elsewhere) return answer.may == May::begin || nobody_runs();
    admission_.park_first(*answer.where);
  }
  return false;
}

bool Engine::nobody_runs() { return leaving_.empty() && !active_.empty() && dispatcher_.busy().empty(); }

/// The first task of the queue, to this worker. False: it cannot take it now.
bool Engine::give_next(Worker& worker) {
  if (worker.account.is_full()) return false;
  Task& next = *queue_.front();
  if (begins(next) == task::Begins::at_once && worker.account.held() != 0) return false;
  try {
    return hand_over(worker, next);
  } catch (const std::bad_alloc&) {
    if (next.worker == 0) no_memory_for(queue_.leave(next));
    return true;
  }
}

/// From the queue, where it may not be the first any more by then. False: it is still there.
bool Engine::hand_over(Worker& worker, Task& task) {
  const std::uint64_t ticket = worker.account.tail();
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
  slot.timed = limits.any() || begins(task) == task::Begins::at_once;
  slot.attempt = task.attempt;
  slot.begun_at.store(0, std::memory_order_relaxed);
  slot.ended = shm::Ended::none;
  slot.attachments = 0;
  const bool was_idle = worker.account.held() == 0;
  admission_.enter(task);
  note_handed(worker, queue_.leave(task));
  if (was_idle) expect_begin(worker.progressed_at);
  if (limits.any()) watch_limits(worker, limits);
  memory_watch_.expect(slot.memory_limit != 0);
  return true;
}

bool Engine::place_arguments(Worker& worker, Task& task, shm::TaskSlot& slot, std::uint64_t ticket) {
  const std::span<const std::byte> bytes = task.payload.bytes();
  std::uint64_t& inbox_end = worker.account.at(ticket).inbox_end;
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
  if (passing_pause_.until() != 0) return false;
  if (worker.known_segments.size() >= worker.known_segments_limit || worker.left_to_forks != arena_->left_to_forks())
    forget_segments(worker);
  if ((segment.fd() && !segment.fd().is_ours()) || !worker.ties.segments.ours.is_ours()) {
    note_loss();
    return false;
  }
  const int fd = segment.fd().get();
  if (const auto sent = send_segment(worker, {segment.id(), segment.size()}, {&fd, 1}); !sent) {
    if (sent.failure().code == ETOOMANYREFS) {
      pass_none_for_a_while();
    } else {
      tell_to_read(worker);
    }
    return false;
  }
  if (passing_pause_.since() != 0) passing_pause_.succeeded();
  worker.known_segments.insert(segment.id());
  worker.written_segments.erase(segment.id());
  return true;
}

void Engine::tell_to_read(Worker& worker) {
  worker.channel().read_segments.store(1, std::memory_order_seq_cst);
  worker.ring();
}

/// As many descriptors of this user's are on their way as may be (RLIMIT_NOFILE, for who is not privileged). Some of them may
/// be ours; for the others there is nothing to do but to try again later.
void Engine::pass_none_for_a_while() {
  passing_pause_.refused(os::monotonic_ns());
  for (Worker* worker : active_) tell_to_read(*worker);
  arm_timer();
}

void Engine::pass_again() {
  passing_pause_.over();
  // Also to who is in its initializer, or has a thread that wants memory while nothing runs.
  for_each_worker([this](Worker& worker) {
    if (workers::lives(worker.state)) serve_lease(worker);
  });
}

/// Tells it of those that are gone before there are too many. A segment that one of its tasks still names is not gone:
/// that task may not have begun, or may be looking at it now.
void Engine::forget_segments(Worker& worker) {
  worker.left_to_forks = arena_->left_to_forks();
  std::unordered_set<std::uint64_t> named;
  const task::Account& account = worker.account;
  for (std::uint64_t ticket = account.head(); ticket != account.tail(); ++ticket) {
    const TaskRef& task = account.at(ticket).task;
    if (!task) continue;
    if (task->payload.segment() != nullptr) named.insert(task->payload.segment()->id());
    if (task->extra_ == nullptr) continue;
    for (const Buffer& buffer : task->extra_->argument_buffers) named.insert(buffer.segment()->id());
  }
  std::erase_if(worker.known_segments, [&](std::uint64_t id) {
    return !arena_->exists(id) && !worker.leases.contains(id) && !named.contains(id) &&
           static_cast<bool>(send_segment(worker, {id, 0}, {}));
  });
  std::erase_if(worker.written_segments, [&](std::uint64_t id) { return !worker.known_segments.contains(id); });
  worker.known_segments_limit = std::max<std::size_t>(32, 2 * worker.known_segments.size());
}

/// keep: so many of the oldest tasks, those that run among them, are not dropped.
void Engine::drop_unbegun(std::size_t keep) {
  for (Worker* worker : active_) recall_all(*worker);
  admission_.unpark_all();
  TaskList kept;
  for (std::size_t running = counts_.in_workers + (host_runner_.runs_any() ? 1 : 0);
       running + kept.size() < keep && !queue_.empty();)
    kept.push_back(queue_.pop_front());
  while (!queue_.empty()) settle(queue_.pop_front(), Ending::cancelled);
  give_up_retries();
  while (!kept.empty()) queue_.push_back(kept.pop_front());
  pump();
}

}  // namespace hotspare::detail
