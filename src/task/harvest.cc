#include "os/clock.hpp"
#include "os/futex.hpp"
#include "supervisor/engine.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

/// From the worker back to the task. Whatever lies in the channel was written by somebody who may be dying or hostile:
/// each field is read once into the host's memory, checked there, and only then used.
namespace hotspare::detail {

namespace {

constexpr std::size_t copied_result = 256 * 1024;

/// A worker has about as many tasks as it runs in that time: the host may need as long until it looks.
constexpr std::int64_t ahead_ns = 500'000;
/// Tasks up to that, a power of two, take less than the wake of another worker (5 µs and more, bench/RESULTS.md).
constexpr std::int64_t brief_ns = 4'096;

}  // namespace

std::size_t Engine::harvest_all() {
  std::size_t harvested = 0;
  const std::vector<task::Candidate*>& busy = dispatcher_.busy();
  for (std::size_t i = 0; i < busy.size();) {
    const std::uint64_t version = dispatcher_.version();
    harvested += harvest(worker_of(*busy[i]));
    // One that wrote nonsense or has run all its tasks has us look for others: then the list may be another one. Those that were
    // looked at have nothing left.
    i = version == dispatcher_.version() ? i + 1 : 0;
  }
  if (harvested != 0) recall_overtaken();
  return harvested;
}

std::size_t Engine::harvest(Worker& worker) {
  std::size_t harvested = 0;
  while (!worker.account.empty()) {
    const task::Claim claim = look_at(worker, worker.account.head());
    if (claim == task::Claim::passed) {
      close_head(worker);
    } else if (claim != task::Claim::finished) {
      break;
    } else if (harvest_head(worker)) {
      ++harvested;
    } else {
      break;
    }
  }
  if (worker.account.claims_too_much()) distrust(worker, "the word of a ticket that it was not given is written");
  if (worker.state == workers::State::condemned || worker.evidence.ended_by != death::EndedBy::nobody) return harvested;
  serve_lease(worker);
  note_progress(worker, harvested);
  if (harvested != 0 && worker.channel().used_up.load(std::memory_order_relaxed) != 0) retire(worker);
  if (worker.outstanding() == 0 && options_.tasks_per_worker != 0 && worker.handed >= options_.tasks_per_worker)
    retire(worker);
  return harvested;
}

/// The oldest ticket has an outcome. False: it makes no sense, and its worker is ended for that.
bool Engine::harvest_head(Worker& worker) {
  TaskRef task = let_go(worker, worker.account.head());
  const char* nonsense = nullptr;
  if (take_outcome(worker, task, nonsense)) {
    close_head(worker);
    return true;
  }
  lose(worker, std::move(task));  // it did run
  close_head(worker);
  distrust(worker, nonsense);
  return false;
}

/// What the worker committed under its oldest ticket becomes the task's outcome. False: it makes no sense, and the task is
/// still there.
bool Engine::take_outcome(Worker& worker, TaskRef& task, const char*& nonsense) {
  shm::TaskSlot& slot = worker.account.slot(worker.account.head());
  const shm::Ended ended = slot.ended;
  const shm::PayloadAt at = slot.arguments;
  const std::uint32_t attachments = slot.attachments;
  const std::uint64_t box_end = slot.box_end;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // they are not read again below
  if (ended != shm::Ended::value && ended != shm::Ended::raised) {
    nonsense = "a result that is neither a value nor an exception";
    return false;
  }
  // Another attempt will need the arguments, which the result would overwrite.
  const bool keep = ended == shm::Ended::raised && may_run_again(*task, task::Reason::exception);
  Payload arguments = task->payload.take();
  bool memory = true;
  try {
    if (!take_payload(worker, at, attachments, *task, nonsense)) {
      task->payload = std::move(arguments);
      return false;
    }
    if (keep) keep_failure(*task, std::exchange(task->payload, std::move(arguments)));
  } catch (const std::bad_alloc&) {
    memory = false;
    drop_outcome(worker, at, *task);
  }
  arguments.clear();
  if (box_end > worker.outbox_freed && box_end - worker.outbox_freed <= shm::box_bytes) {
    worker.outbox_freed = box_end;
    worker.channel().outbox_freed.store(box_end, std::memory_order_seq_cst);
    worker.ring();
  }
  admission_.note_begin(*task, slot.begun_at.load(std::memory_order_relaxed));
  if (memory) {
    finish(std::move(task), ended);
  } else {
    admission_.leave(*task, task::Gate::End::failed);
    no_memory_for(std::move(task));
  }
  return true;
}

/// There was no memory to take it. What it lies in is the pool's again.
void Engine::drop_outcome(Worker& worker, const shm::PayloadAt& at, Task& task) {
  if (at.place == shm::Place::segment) worker.leases.erase(at.at);
  if (task.extra_ != nullptr) task.extra_->result_segments.clear();
}

/// What the task threw, apart from its arguments.
void Engine::keep_failure(Task& task, Payload thrown) {
  auto failed = std::make_shared<FailedAttempt>();
  failed->ending = Ending::raised;
  failed->payload = std::move(thrown);
  failed->segments = std::move(task.extra().result_segments);
  task.extra().result_segments.clear();
  failed->task_id = task.id;
  failed->attempt = ++task.attempt;
  task.extra().failed = std::move(failed);
}

/// Its outcome is there.
void Engine::finish(TaskRef task, shm::Ended ended) {
  using task::Gate;
  admission_.leave(*task, ended == shm::Ended::raised ? Gate::End::failed : Gate::End::succeeded);
  if (task->extra_ != nullptr && task->extra_->failed != nullptr)
    return attempt_failed(std::move(task), task->extra_->failed);
  settle(std::move(task), ended == shm::Ended::raised ? Ending::raised : Ending::value);
}

bool Engine::take_payload(Worker& worker, const shm::PayloadAt& at, std::uint32_t attachments, Task& task,
                          const char*& nonsense) {
  const std::uint64_t ids = std::uint64_t{attachments} * sizeof(std::uint64_t);
  const auto outside = [&](std::uint64_t room) { return at.size > room || ids > room - at.size; };
  const std::byte* const slot_bytes = worker.account.slot(worker.account.head()).bytes;
  if (at.place == shm::Place::slot && at.size <= shm::slot_bytes && attachments == 0) {
    task.payload.assign({slot_bytes, at.size});
    return true;
  }
  nonsense = "a result outside its place";
  if (at.place == shm::Place::segment) {
    // It is this worker's no more before its attachments are looked at: they may name it.
    const auto lease = worker.leases.extract(at.at);
    if (lease.empty() || outside(lease.mapped()->size())) return false;
    const std::byte* data = lease.mapped()->data();
    if (!take_attachments(worker, {data + at.size, ids}, task, nonsense)) return false;
    // Of a middling result a copy is kept: each segment holds a descriptor, and results may wait in their thousands.
    if (at.size <= copied_result) {
      task.payload.assign({data, at.size});
    } else {
      task.payload.adopt(std::move(lease.mapped()), at.size);
    }
  } else {
    const bool in_slot = at.place == shm::Place::slot;
    if (!in_slot && (at.place != shm::Place::box || at.at > shm::box_bytes)) return false;
    if (outside(in_slot ? shm::slot_bytes : shm::box_bytes - at.at)) return false;
    const std::byte* data = in_slot ? slot_bytes : worker.channel().outbox + at.at;
    if (!take_attachments(worker, {data + at.size, ids}, task, nonsense)) return false;
    task.payload.assign({data, at.size});
  }
  nonsense = nullptr;
  return true;
}

/// Segments that a result refers to: lent to this worker, or the task's own arguments. Nothing else is believed.
bool Engine::take_attachments(Worker& worker, std::span<const std::byte> ids, Task& task, const char*& nonsense) {
  if (ids.empty()) return true;
  nonsense = "a result refers to a segment that the worker does not own";
  const std::size_t given = task.extra_ == nullptr ? 0 : task.extra_->argument_buffers.size();
  if (ids.size() / sizeof(std::uint64_t) > worker.leases.size() + given) return false;
  std::vector<SegmentRef> taken;
  for (std::size_t at = 0; at < ids.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t id = 0;
    std::memcpy(&id, ids.data() + at, sizeof id);
    if (auto lease = worker.leases.extract(id)) {
      taken.push_back(std::move(lease.mapped()));
      continue;
    }
    const auto& buffers = task.extra().argument_buffers;
    const auto own = std::find_if(buffers.begin(), buffers.end(),
                                  [id](const Buffer& buffer) { return buffer.segment()->id() == id; });
    if (own == buffers.end()) return false;
    taken.push_back(share(own->segment()));
  }
  task.extra().result_segments = std::move(taken);
  return true;
}

void Engine::take_returned_leases(Worker& worker) {
  worker.channel().returned_leases.take(worker.leases_taken_back, [&](std::uint64_t id) { worker.leases.erase(id); });
}

/// 0, or the errno that the worker is told.
int Engine::why_no_lease(const Worker& worker) const {
  constexpr std::size_t few = 64;
  if (worker.leases.size() < few) return 0;
  if (worker.leases.size() >= shm::most_leases_of_worker) return EDQUOT;
  std::size_t all = 0;
  for (const auto& [id, other] : workers_) all += other->leases.size();
  return all >= shm::most_leases ? EUSERS : 0;
}

/// The worker needs shared memory for a result.
void Engine::serve_lease(Worker& worker) {
  take_returned_leases(worker);
  shm::Channel& channel = worker.channel();
  // SYNC POINT lease-request: released by the worker's request.
  const std::uint64_t request = channel.lease_request.load(std::memory_order_acquire);
  if (request == worker.lease_served) return;
  int refused = why_no_lease(worker);
  try {
    if (refused == 0 && !lend(worker, refused)) return;  // served when it has read what it was sent
  } catch (const std::bad_alloc&) {
    refused = ENOMEM;
  }
  if (refused != 0) {
    channel.lease_segment = 0;
    channel.lease_size = static_cast<std::uint64_t>(refused);
  }
  worker.lease_served = request;
  // SYNC POINT lease-grant: acquired by Segments::request.
  channel.lease_granted.store(request, std::memory_order_seq_cst);
  worker.ring();
}

/// False: not now. refused: an errno, if there is nothing to be lent.
bool Engine::lend(Worker& worker, int& refused) {
  shm::Channel& channel = worker.channel();
  auto segment = arena_->allocate(channel.lease_wanted.load(std::memory_order_relaxed), worker.id);
  if (!segment) {
    refused = segment.failure().code;
    return true;
  }
  if (!announce(worker, **segment, SegmentUse::write)) return false;
  arena_->shown(**segment);
  const std::uint64_t id = (*segment)->id();
  const std::uint64_t size = (*segment)->size();
  worker.written_segments.insert(id);
  worker.leases[id] = std::move(*segment);
  channel.lease_segment = id;
  channel.lease_size = size;
  return true;
}

/// How many tasks to hand over early: about as many as the worker runs while the host is woken once.
void Engine::note_progress(Worker& worker, std::size_t harvested) {
  if (harvested == 0) return;
  const std::int64_t now = os::monotonic_ns();
  const std::int64_t each =
      std::max<std::int64_t>(1, (now - worker.progressed_at) / static_cast<std::int64_t>(harvested));
  worker.progressed_at = now;
  worker.silent = false;
  const std::int64_t pace = worker.channel().pace.load(std::memory_order_relaxed);
  worker.brief = pace != 0 && pace <= brief_ns;
  // As the host sees it a task is longer by what its worker waited, or of no length if two looks followed one another.
  const std::int64_t task_ns = pace != 0 && pace < shm::Pace::longest_ns / 2 ? pace : each;
  // At most twice as many as before: what it was given too early waits for it, though others may be idle by then.
  const auto most = static_cast<std::int64_t>(std::min<std::uint64_t>(2 * worker.prefetch, shm::slot_count));
  worker.prefetch = static_cast<std::uint64_t>(std::clamp<std::int64_t>(ahead_ns / task_ns, 2, most));
  dispatcher_.touch(worker);
  dispatcher_.note_finished(harvested);
  worker.overtaken_from = dispatcher_.finished();
}

/// Neither an outcome nor nonsense.
bool Engine::may_stay(const Head& head) {
  const std::uint64_t word = head.channel->slot(head.ticket).word.load(std::memory_order_seq_cst);
  return word == shm::pack({head.ticket, shm::SlotState::queued}) ||
         word == shm::pack({head.ticket, shm::SlotState::running});
}

bool Engine::anything_to_harvest() const {
  return std::any_of(heads_.begin(), heads_.end(), [](const Head& head) {
    if (!may_stay(head)) return true;
    // While it has not read, there is nothing that could be done for it.
    if (head.told_to_read) return head.channel->read_segments.load(std::memory_order_seq_cst) == 0;
    return !head.lease_waits && head.channel->lease_request.load(std::memory_order_seq_cst) != head.lease_served;
  });
}

}  // namespace hotspare::detail
