#include "worker/run_task.hpp"

#include "os/clock.hpp"
#include "os/process.hpp"
#include "shm/box.hpp"
#include "worker/crash_point.hpp"
#include "worker/raised.hpp"
#include "worker/this_task.hpp"
#include "worker/worker_state.hpp"

#include <hotspare/error.hpp>

#include <algorithm>
#include <cstring>

namespace hotspare::worker {
namespace {

/// A task's memory limit, for as long as it runs: the part of it that is exact, and what the host's part begins from
/// (task/memory_limit.cc).
class MemoryLimit {
 public:
  MemoryLimit(std::uint64_t bytes, std::uint64_t ticket, os::MemoryGauge& gauge, os::DataLimit& limit)
      : bytes_(bytes), limit_(limit) {
    if (bytes_ == 0) return;
    const os::MemoryInUse before = gauge.read();
    shm::MemoryBefore& told = state.channel->memory_before;
    told.anonymous.store(before.anonymous, std::memory_order_relaxed);
    told.file_and_shared.store(before.file_and_shared, std::memory_order_relaxed);
    // SYNC POINT memory-before: acquired by Engine::limited_tasks.
    told.ticket.store(ticket, std::memory_order_release);
    state.memory_before.store(before.data, std::memory_order_relaxed);
    state.memory_limit.store(bytes_, std::memory_order_relaxed);
    limit_.set(before.data + std::min(bytes_, UINT64_MAX - before.data));
  }
  ~MemoryLimit() {
    if (bytes_ == 0) return;
    limit_.restore();
    state.memory_limit.store(0, std::memory_order_relaxed);
  }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

 private:
  std::uint64_t bytes_;
  os::DataLimit& limit_;
};

}  // namespace

void TaskRunner::run(shm::TaskSlot& slot) {
  slot_ = &slot;
  result_ = {};
  result_box_end_ = outbox_filled_;
  attachments_.clear();
  fetched_.clear();
  parts_ = {};
  attached_before_ = 0;
  // Read now: the result is written over the same fields.
  const shm::PayloadAt given = slot.arguments;
  const std::int64_t now = slot.timed ? os::monotonic_ns() : 0;
  if (slot.timed) slot.begun_at.store(now, std::memory_order_release);
  slot.ended = shm::Ended::value;
  try {
    switch (given.place) {
      case shm::Place::slot: arguments_ = {slot.bytes, given.size}; break;
      case shm::Place::box: arguments_ = {state.channel->inbox + given.at, given.size}; break;
      case shm::Place::segment: arguments_ = {segments_.view(given.at, given.size), given.size}; break;
    }
    detail::watch_throws(true);
    task_begins(shm::unpack(slot.word.load(std::memory_order_relaxed)).ticket, now, slot.attempt + 1U);
    call();
    task_ends();
    detail::watch_throws(false);
  } catch (...) {
    if (!in_worker()) os::exit_now(0);
    task_ends();
    give_exception(detail::encode_current_exception());
    detail::watch_throws(false);
  }
  if (!in_worker()) os::exit_now(0);
  segments_.return_idle();
  slot.arguments = result_;
  slot.box_end = result_box_end_;
  slot.attachments = static_cast<std::uint32_t>(attachments_.size());
}

void TaskRunner::call() {
  const auto entry = reinterpret_cast<detail::Entry>(detail::resolve({slot_->entry_module, slot_->entry_offset}));
  const std::uint64_t ticket = shm::unpack(slot_->word.load(std::memory_order_relaxed)).ticket;
  const MemoryLimit limit(slot_->memory_limit, ticket, gauge_, data_limit_);
  entry(*this);
  reach(CrashPoint::after_task);
}

void TaskRunner::give_exception(const std::string& encoded) {
  slot_->ended = shm::Ended::raised;
  attachments_.clear();
  kept_.clear();
  result_segment_.reset();
  std::byte* room = reserve_result(encoded.size());
  std::memcpy(room, encoded.data(), encoded.size());
}

std::byte* TaskRunner::reserve_result(std::size_t bytes) {
  if (!in_worker()) os::exit_now(0);  // a child of the task's, about to write into its parent's result
  const std::size_t total = bytes + attachments_.size() * sizeof(std::uint64_t);
  result_.size = bytes;
  std::byte* room = nullptr;
  if (total <= shm::slot_bytes) {
    result_.place = shm::Place::slot;
    room = slot_->bytes;
  } else if (total <= shm::box_payload) {
    result_.place = shm::Place::box;
    room = room_in_outbox(total);
  } else {
    result_.place = shm::Place::segment;
    result_segment_ = segments_.lease(total);
    result_.at = result_segment_->id();
    room = result_segment_->data();
  }
  if (!attachments_.empty())
    std::memcpy(room + bytes, attachments_.data(), attachments_.size() * sizeof(std::uint64_t));
  reach(CrashPoint::in_result);
  return room;
}

void TaskRunner::mark_raised() { slot_->ended = shm::Ended::raised; }

std::byte* TaskRunner::room_in_outbox(std::size_t bytes) {
  shm::Channel& channel = *state.channel;
  const auto place = [&] {
    return shm::place_in_box(outbox_filled_, channel.outbox_freed.load(std::memory_order_seq_cst), bytes,
                             shm::box_bytes);
  };
  auto found = place();
  while (!found) {
    // Full of results that the host has not fetched: wait for it. It rings when it has freed something.
    channel.outbox_bell.about_to_sleep();
    ring_host();
    // SYNC POINT doorbell: this look is after the mark. Worker::ring looks for the mark after the host's store.
    found = place();
    if (!found) channel.outbox_bell.await_ring();
  }
  channel.outbox_bell.awake();
  outbox_filled_ = found->end;
  result_box_end_ = found->end;
  result_.at = found->start % shm::box_bytes;
  return channel.outbox + result_.at;
}

std::uint64_t TaskRunner::attach(const Buffer& buffer) {
  detail::Segment* segment = buffer.segment();
  if (segment == nullptr) return 0;
  if (!segments_.leased(segment->id()) && std::find(fetched_.begin(), fetched_.end(), segment->id()) == fetched_.end())
    throw PayloadError("a Buffer of an earlier task cannot be returned: it is the host's. Copy it into a new one");
  // write_value may run twice (measure, write): the same Buffer is attached once.
  if (std::find(attachments_.begin(), attachments_.end(), segment->id()) == attachments_.end()) {
    attachments_.push_back(segment->id());
    kept_.push_back(detail::share(segment));
  }
  return segment->id();
}

Buffer TaskRunner::fetch(std::uint64_t handle, std::uint64_t size) {
  if (handle == 0) return {};
  fetched_.push_back(handle);
  return segments_.buffer(handle, static_cast<std::size_t>(size));
}

Buffer TaskRunner::fetch_private(std::uint64_t handle, std::uint64_t size) {
  if (handle == 0) return {};
  return segments_.private_buffer(handle, static_cast<std::size_t>(size));
}

void TaskRunner::committed() {
  if (result_segment_ == nullptr && kept_.empty()) return;
  kept_.clear();
  result_segment_.reset();
  for (const std::uint64_t segment : attachments_) segments_.hand_over(segment);
  if (result_.place == shm::Place::segment) segments_.hand_over(result_.at);
}

}  // namespace hotspare::worker
