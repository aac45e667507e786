#include "os/clock.hpp"
#include "os/process.hpp"
#include "worker/crash_point.hpp"
#include "worker/raised.hpp"
#include "worker/run_task.hpp"
#include "worker/this_task.hpp"
#include "worker/worker_state.hpp"

#include <algorithm>
#include <cstring>

/// A task with many results, which it gives one by one.
namespace hotspare::worker {
namespace {

constexpr std::size_t first_room = 4096;

}  // namespace

std::byte* TaskRunner::reserve_part(std::size_t bytes, bool raised) {
  if (!in_worker()) os::exit_now(0);  // a child of the task's
  const auto attachments = std::span(attachments_).subspan(attached_before_);
  const std::size_t more = PartWriter::needed(bytes, attachments.size());
  // The ids of all attachments will stand at the end.
  const std::size_t at_end = attachments_.size() * sizeof(std::uint64_t);
  if (!parts_.begun() || !parts_.fits(more + at_end)) make_room_for_parts(parts_.written() + more + at_end);
  std::byte* room = parts_.begin(bytes, attachments, raised);
  reach(CrashPoint::in_result);
  return room;
}

void TaskRunner::give_part() {
  parts_.publish(state.channel->parts);
  attached_before_ = attachments_.size();
  // The deadline is that of each part, not of all together.
  if (!slot_->timed) return;
  const std::int64_t now = os::monotonic_ns();
  slot_->begun_at.store(now, std::memory_order_release);
  task_begins(shm::unpack(slot_->word.load(std::memory_order_relaxed)).ticket, now, slot_->attempt + 1U);
}

void TaskRunner::give_raised_part() {
  attachments_.resize(attached_before_);
  const std::string encoded = detail::encode_current_exception();
  std::memcpy(reserve_part(encoded.size(), true), encoded.data(), encoded.size());
  give_part();
}

/// First a page of the outbox, then as much of it as one result may have, then segments.
void TaskRunner::make_room_for_parts(std::size_t needed) {
  PartsRoom room;
  detail::SegmentRef segment;
  if (needed <= shm::box_payload) {
    room.size = needed <= first_room ? first_room : shm::box_payload;
    room.at.place = shm::Place::box;
    room.data = room_in_outbox(room.size);
    room.at.at = result_.at;
  } else {
    segment = segments_.lease(std::max(needed + needed / 2, 4 * parts_.room().size));
    room = {segment->data(), segment->size(), {segment->id(), 0, shm::Place::segment}};
  }
  parts_.move_to(room, state.channel->parts, shm::unpack(slot_->word.load(std::memory_order_relaxed)).ticket);
  result_segment_ = std::move(segment);  // only now the old one may be used for something else
}

void TaskRunner::end_parts() {
  if (!parts_.begun()) make_room_for_parts(0);
  result_ = parts_.room().at;
  result_.size = parts_.written();
  if (!attachments_.empty())
    std::memcpy(parts_.room().data + parts_.written(), attachments_.data(),
                attachments_.size() * sizeof(std::uint64_t));
}

}  // namespace hotspare::worker
