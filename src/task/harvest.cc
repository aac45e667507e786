#include "os/clock.hpp"
#include "os/futex.hpp"
#include "supervisor/engine.hpp"

#include <algorithm>
#include <cstring>

/// From the worker back to the task. Whatever lies in the channel was written by somebody who may be dying or hostile:
/// each field is read once into the host's memory, checked there, and only then used.
namespace hotspare::detail {

using shm::SlotState;
using shm::SlotWord;

namespace {

constexpr std::size_t copied_result = 256 * 1024;

}  // namespace

std::size_t Engine::harvest_all() {
  std::size_t harvested = 0;
  // One that wrote nonsense or has run its tasks leaves the list while we walk it, and the next one moves up.
  for (std::vector<Worker*>* list : {&active_, &leaving_}) {
    for (std::size_t i = 0; i < list->size();) {
      Worker* const worker = (*list)[i];
      harvested += harvest(*worker);
      if (i < list->size() && (*list)[i] == worker) ++i;
    }
  }
  return harvested;
}

std::size_t Engine::harvest(Worker& worker) {
  std::size_t harvested = 0;
  std::string nonsense;
  while (worker.head != worker.tail && nonsense.empty()) {
    shm::TaskSlot& slot = worker.channel().slot(worker.head);
    // SYNC POINT result: released by the worker's commit. Sequentially consistent after the store of a wish: either we see
    // the commit, or the worker sees the wish (SYNC POINT result-bell).
    const SlotWord word = shm::unpack(slot.word.load(std::memory_order_seq_cst));
    if (word.ticket != worker.head || word.state > SlotState::condemned || word.state == SlotState::empty) {
      nonsense = "the word of ticket " + std::to_string(worker.head) + " is damaged";
      break;
    }
    if (word.state == SlotState::queued || word.state == SlotState::running || word.state == SlotState::condemned)
      break;
    TaskRef task = std::move(worker.task(worker.head));
    if (word.state == SlotState::done && task) {
      --counts_.in_workers;
      if (!take_outcome(worker, slot, *task, nonsense)) {
        // It did run, so it is the worker's victim.
        worker.victim = std::move(task);
      } else {
        ++harvested;
        if (slot.timed) note_begin(*task, slot.begun_at.load(std::memory_order_relaxed));
        finish(std::move(task), slot.ended);
      }
    }
    free_slot(worker);
  }
  if (!nonsense.empty()) {
    // Condemning it harvests first, and finds the same nonsense again.
    if (worker.evidence.ended_by != death::EndedBy::nobody) return harvested;
    worker.evidence.protocol_error = nonsense;
    end_worker(worker, death::EndedBy::protocol);
    return harvested;
  }
  if (worker.state == workers::State::condemned) return harvested;
  serve_lease(worker);
  note_progress(worker, harvested);
  if (harvested != 0 && worker.channel().used_up.load(std::memory_order_relaxed) != 0) retire(worker);
  if (worker.outstanding() == 0 && options_.tasks_per_worker != 0 && worker.handed >= options_.tasks_per_worker)
    retire(worker);
  return harvested;
}

bool Engine::take_outcome(Worker& worker, shm::TaskSlot& slot, Task& task, std::string& nonsense) {
  const shm::PayloadAt at = slot.arguments;
  const std::uint32_t attachments = slot.attachments;
  const std::uint64_t box_end = slot.box_end;
  if (slot.ended != shm::Ended::value && slot.ended != shm::Ended::raised) {
    nonsense = "a result that is neither a value nor an exception";
    return false;
  }
  // Another attempt will need the arguments, which the result would overwrite.
  const bool keep = slot.ended == shm::Ended::raised && may_run_again(task, task::Reason::exception);
  Payload arguments = task.payload.take();
  const bool taken = take_payload(worker, at, attachments, task, nonsense);
  if (taken) {
    part_with_arguments(task, std::move(arguments), keep);
  } else {
    task.payload = std::move(arguments);
  }
  if (box_end > worker.outbox_freed && box_end - worker.outbox_freed <= shm::box_bytes) {
    worker.outbox_freed = box_end;
    worker.channel().outbox_freed.store(box_end, std::memory_order_seq_cst);
    worker.ring();
  }
  return taken;
}

/// The task's payload is what it returned or threw. Keep: another attempt needs the arguments; else the result has taken
/// their place.
void Engine::part_with_arguments(Task& task, Payload arguments, bool keep) {
  if (keep) return keep_failure(task, std::exchange(task.payload, std::move(arguments)));
  if (arguments.segment() == nullptr) return;
  payload_bytes_ -= arguments.segment()->size();
  --payload_segments_;
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
  leave_gates(*task, ended == shm::Ended::raised ? Gate::End::failed : Gate::End::succeeded);
  if (task->extra_ != nullptr && task->extra_->failed != nullptr)
    return attempt_failed(std::move(task), task->extra_->failed);
  settle(std::move(task), ended == shm::Ended::raised ? Ending::raised : Ending::value);
}

bool Engine::take_payload(Worker& worker, const shm::PayloadAt& at, std::uint32_t attachments, Task& task,
                          std::string& nonsense) {
  const std::uint64_t ids = std::uint64_t{attachments} * sizeof(std::uint64_t);
  const auto outside = [&](std::uint64_t room) { return at.size > room || ids > room - at.size; };
  if (at.place == shm::Place::slot && at.size <= shm::slot_bytes && attachments == 0) {
    task.payload.assign({worker.channel().slot(worker.head).bytes, at.size});
    return true;
  }
  nonsense = "a result outside its place";
  if (at.place == shm::Place::segment) {
    const auto lease = worker.leases.find(at.at);
    if (lease == worker.leases.end() || outside(lease->second->size())) return false;
    const std::byte* data = lease->second->data();
    if (!take_attachments(worker, {data + at.size, ids}, task, nonsense)) return false;
    // Of a middling result a copy is kept: each segment holds a descriptor, and results may wait in their thousands.
    if (at.size <= copied_result) {
      task.payload.assign({data, at.size});
    } else {
      task.payload.adopt(std::move(lease->second), at.size);
    }
    worker.leases.erase(lease);
  } else {
    const bool in_slot = at.place == shm::Place::slot;
    if (!in_slot && (at.place != shm::Place::box || at.at > shm::box_bytes)) return false;
    if (outside(in_slot ? shm::slot_bytes : shm::box_bytes - at.at)) return false;
    const std::byte* data = in_slot ? worker.channel().slot(worker.head).bytes : worker.channel().outbox + at.at;
    if (!take_attachments(worker, {data + at.size, ids}, task, nonsense)) return false;
    task.payload.assign({data, at.size});
  }
  nonsense.clear();
  return true;
}

/// Segments that a result refers to: lent to this worker, or the task's own arguments. Nothing else is believed.
bool Engine::take_attachments(Worker& worker, std::span<const std::byte> ids, Task& task, std::string& nonsense) {
  for (std::size_t at = 0; at < ids.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t id = 0;
    std::memcpy(&id, ids.data() + at, sizeof id);
    if (const auto lease = worker.leases.find(id); lease != worker.leases.end()) {
      task.extra().result_segments.push_back(std::move(lease->second));
      worker.leases.erase(lease);
      continue;
    }
    const auto& given = task.extra().argument_buffers;
    const auto own =
        std::find_if(given.begin(), given.end(), [id](const Buffer& buffer) { return buffer.segment()->id() == id; });
    if (own == given.end()) {
      nonsense = "a result refers to a segment that the worker does not own";
      return false;
    }
    task.extra().result_segments.push_back(share(own->segment()));
  }
  return true;
}

void Engine::free_slot(Worker& worker) {
  worker.inbox_freed = worker.inbox_end[worker.head % shm::slot_count];
  ++worker.head;
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
  const int refused = why_no_lease(worker);
  auto segment = refused != 0 ? os::Result<SegmentRef>(os::Failure{refused, {}})
                              : arena_->allocate(channel.lease_wanted.load(std::memory_order_relaxed), worker.id);
  if (segment && !announce(worker, **segment, SegmentUse::write)) return;  // served when it has read what it was sent
  if (segment) arena_->shown(**segment);
  if (segment) {
    channel.lease_segment = (*segment)->id();
    channel.lease_size = (*segment)->size();
    const std::uint64_t id = (*segment)->id();
    worker.written_segments.insert(id);
    worker.leases[id] = std::move(*segment);
  } else {
    channel.lease_segment = 0;
    channel.lease_size = static_cast<std::uint64_t>(segment.failure().code);
  }
  worker.lease_served = request;
  // SYNC POINT lease-grant: acquired by Segments::request.
  channel.lease_granted.store(request, std::memory_order_seq_cst);
  worker.ring();
}

/// How many tasks to hand over early: about as many as the worker runs while the host is woken once.
void Engine::note_progress(Worker& worker, std::size_t harvested) {
  if (harvested == 0) return;
  const std::int64_t now = os::monotonic_ns();
  const std::int64_t each =
      std::max<std::int64_t>(1, (now - worker.progressed_at) / static_cast<std::int64_t>(harvested));
  worker.progressed_at = now;
  constexpr std::int64_t ahead_ns = 500'000;
  worker.prefetch = static_cast<std::uint64_t>(
      std::clamp<std::int64_t>(ahead_ns / each, 2, static_cast<std::int64_t>(shm::slot_count)));
}

bool Engine::anything_to_harvest(const std::vector<Head>& heads) const {
  return std::any_of(heads.begin(), heads.end(), [](const Head& head) {
    const SlotWord word = shm::unpack(head.channel->slot(head.ticket).word.load(std::memory_order_seq_cst));
    if (word.ticket == head.ticket && word.state == SlotState::done) return true;
    // While it has not read, there is nothing that could be done for it.
    if (head.told_to_read) return head.channel->read_segments.load(std::memory_order_seq_cst) == 0;
    return head.channel->lease_request.load(std::memory_order_seq_cst) != head.lease_served;
  });
}

}  // namespace hotspare::detail
