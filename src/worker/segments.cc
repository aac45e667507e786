#include "worker/segments.hpp"
#include "worker/worker_segments.hpp"

#include "os/process.hpp"
#include "os/socket.hpp"
#include "shm/no_memory.hpp"
#include "worker/crash_point.hpp"
#include "worker/worker_state.hpp"

#include <hotspare/error.hpp>

#include <algorithm>
#include <new>
#include <string>
#include <system_error>

namespace hotspare::worker {
namespace {

Segments* of_this_worker = nullptr;

[[noreturn]] void refuse_lease(std::size_t size, int code) {
  if (code == ENOMEM)
    throw shm::NoMemory(os::Failure{code, "the host has none for a result of " + std::to_string(size) + " bytes"});
  if (code == EDQUOT || code == EUSERS)
    throw PayloadError("no more shared memory for this task: " +
                       (code == EDQUOT ? "it holds " + std::to_string(shm::most_leases_of_worker)
                                       : "the pool's tasks together hold " + std::to_string(shm::most_leases)) +
                       " Buffers and results, as many as are allowed. Let go of some, or put many small ones into one");
  throw PayloadError("the host has no shared memory for a result of " + std::to_string(size) +
                     " bytes: " + std::generic_category().message(code) +
                     (code == EFBIG ? ". Shared memory counts as a file (RLIMIT_FSIZE, `ulimit -f`)" : ""));
}

}  // namespace

Segments::Segments(os::Fd socket) : socket_(std::move(socket)) { of_this_worker = this; }

detail::SegmentRef lease_segment(std::size_t size) {
  return of_this_worker != nullptr && in_worker() ? of_this_worker->lease(size) : nullptr;
}

Segments::Known& Segments::wait_for(std::uint64_t segment, Have have) {
  for (;;) {
    const auto found = known_.find(segment);
    if (found != known_.end() && has(found->second, have)) return found->second;
    if (lost_.contains(segment))
      throw PayloadError(
          "shared memory for this task cannot be had: its worker has no descriptor left (RLIMIT_NOFILE)");
    SegmentMessage message;
    auto received = os::receive_message(socket_, std::as_writable_bytes(std::span(&message, 1)), os::Wait::yes);
    if (!received || received->size != sizeof message)
      throw PayloadError("shared memory for this task cannot be had: the worker's descriptors were closed");
    note(message, *received);
  }
}

bool Segments::has(const Known& known, Have have) {
  switch (have) {
    case Have::to_read: return known.fd || known.read != nullptr;
    case Have::to_write: return known.fd || known.write.data() != nullptr;
    case Have::descriptor: break;
  }
  return static_cast<bool>(known.fd);
}

void Segments::note(const SegmentMessage& message, os::Received& received) {
  std::vector<os::Fd>& fds = received.fds;
  lost_.erase(message.segment);
  if (received.fds_lost) {
    lost_.insert(message.segment);
    // The host believes that it is here, and will not send it again: another worker takes the place of this one.
    state.channel->used_up.store(1, std::memory_order_relaxed);
  } else if (fds.empty()) {
    known_.erase(message.segment);
  } else {
    Known& known = known_[message.segment];  // it may be known, its descriptor closed
    known.fd = std::move(fds[0]);
    known.size = message.size;
  }
}

void Segments::read_announced() {
  std::lock_guard lock(mutex_);
  for (;;) {
    SegmentMessage message;
    auto received = os::receive_message(socket_, std::as_writable_bytes(std::span(&message, 1)), os::Wait::no);
    if (!received || received->size != sizeof message) break;
    note(message, *received);
  }
  state.channel->read_segments.store(0, std::memory_order_seq_cst);
  ring_host();
}

os::Mapping Segments::map(const Known& known, os::Access access, os::OnFork on_fork) {
  auto made = os::Mapping::of(known.fd, known.size, access, on_fork);
  if (!made) throw PayloadError(made.failure().text());
  return std::move(*made);
}

std::byte* Segments::map_to_read(Known& known) {
  if (known.read == nullptr) {
    auto made = std::make_shared<ReadMapping>();
    made->mapping = map(known, os::Access::read, os::OnFork::inherit);  // a task's own children may look
    known.read = std::move(made);
  }
  return known.read->mapping.data();
}

const std::byte* Segments::view(std::uint64_t segment, std::size_t size) {
  std::lock_guard lock(mutex_);
  Known& known = wait_for(segment, Have::to_read);
  if (size > known.size) throw PayloadError("payload is larger than its segment");
  return map_to_read(known);
}

Buffer Segments::buffer(std::uint64_t segment, std::size_t size) {
  std::lock_guard lock(mutex_);
  Known& known = wait_for(segment, Have::to_read);
  if (size > known.size) throw PayloadError("Buffer is larger than its segment");
  std::byte* const data = map_to_read(known);
  // A mapping of its own for each handle would be unmapped with it; the one that is kept serves all.
  auto* view = new detail::Segment(segment, known.size, os::Fd(), os::Mapping());
  view->lend(known.read);
  return {view, data, size};
}

Buffer Segments::private_buffer(std::uint64_t segment, std::size_t size) {
  std::lock_guard lock(mutex_);
  const Known& known = wait_for(segment, Have::descriptor);
  if (size > known.size) throw PayloadError("Buffer is larger than its segment");
  // An argument is not what the task takes, but the kernel counts a private mapping as data. What the task writes into it
  // becomes memory of its own: the host sees that.
  if (state.memory_limit.load(std::memory_order_relaxed) != 0) {
    os::widen_data_limit(known.size);
    state.memory_before.fetch_add(known.size, std::memory_order_relaxed);
  }
  auto* own =
      new detail::Segment(segment, known.size, os::Fd(), map(known, os::Access::copy_on_write, os::OnFork::inherit));
  own->lend(nullptr);
  return {own, own->data(), size};
}

std::uint64_t Segments::request(std::size_t size) {
  shm::Channel& channel = *state.channel;
  const std::uint64_t number = channel.lease_request.load(std::memory_order_relaxed) + 1;
  channel.lease_wanted.store(size, std::memory_order_relaxed);
  // SYNC POINT lease-request: acquired by Engine::serve_lease.
  channel.lease_request.store(number, std::memory_order_seq_cst);
  reach(CrashPoint::after_lease_request);
  ring_host();
  for (;;) {
    channel.lease_bell.about_to_sleep();
    // SYNC POINT lease-grant: released by Engine::serve_lease.
    // SYNC POINT doorbell: this look is after the mark. Worker::ring looks for the mark after the host's store.
    if (channel.lease_granted.load(std::memory_order_seq_cst) == number) break;
    if (channel.read_segments.load(std::memory_order_seq_cst) != 0) {
      read_announced();
      continue;
    }
    channel.lease_bell.await_ring();
  }
  channel.lease_bell.awake();
  return channel.lease_segment;
}

/// Null: none of those that are leased and not used fits.
detail::SegmentRef Segments::take_idle(std::size_t size) {
  const std::lock_guard lock(mutex_);
  const auto fits = [size](const detail::Segment* segment) {
    return segment->size() >= size && segment->size() / 2 <= std::max<std::size_t>(size, 64 * 1024);
  };
  const auto idle = std::find_if(idle_.begin(), idle_.end(), fits);
  if (idle == idle_.end()) return nullptr;
  detail::Segment* segment = *idle;
  idle_.erase(idle);
  segment->lend(shared_from_this());
  return detail::SegmentRef(segment);
}

detail::SegmentRef Segments::lease(std::size_t size) {
  // One request at a time. The other mutex is free meanwhile: a thread that waits for the host must not keep others from
  // what they have.
  const std::lock_guard one(leasing_);
  if (auto idle = take_idle(size)) return idle;
  return_idle();
  const std::uint64_t id = request(size);
  const std::lock_guard lock(mutex_);
  if (id == 0) refuse_lease(size, static_cast<int>(state.channel->lease_size));
  find_kept_mapping(id);
  Known& known = wait_for(id, Have::to_write);
  if (known.write.data() == nullptr) known.write = map_lease(id, known);
  reach(CrashPoint::with_lease);
  auto made = std::make_unique<detail::Segment>(id, known.size, os::Fd(), std::move(known.write));
  detail::Segment* segment = made.get();
  leased_[id] = std::move(made);
  segment->lend(shared_from_this());
  return detail::SegmentRef(segment);
}

/// Lent again while a task keeps a Buffer over it: that one has the mapping, and the descriptor was closed.
void Segments::find_kept_mapping(std::uint64_t segment) {
  const auto known = known_.find(segment);
  if (known == known_.end() || has(known->second, Have::to_write)) return;
  const auto kept =
      std::find_if(given_.begin(), given_.end(), [segment](const auto& given) { return given->id() == segment; });
  if (kept == given_.end()) return;
  auto mapping = (*kept)->mapping().again(os::OnFork::drop);
  if (!mapping) {
    state.channel->returned_leases.give(segment);
    throw shm::NoMemory(mapping.failure());
  }
  known->second.write = std::move(*mapping);
}

/// Neither the mapping nor, once there is one, the descriptor is for what the task forks: that may outlive this worker, and
/// the segment is lent to other tasks.
os::Mapping Segments::map_lease(std::uint64_t segment, Known& known) {
  try {
    if (const os::Status room = os::make_room(known.fd, known.size); !room) throw shm::NoMemory(room.failure());
    os::Mapping mapping = map(known, os::Access::read_write, os::OnFork::drop);
    known.fd.reset();
    return mapping;
  } catch (...) {
    state.channel->returned_leases.give(segment);
    throw;
  }
}

void Segments::return_idle() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return;  // a thread of the task's is just asking for one
  while (!idle_.empty()) {
    detail::Segment* const segment = idle_.back();
    if (!state.channel->returned_leases.give(segment->id())) return;  // the rest when the host has taken these
    idle_.pop_back();
    keep_mapping(*segment);
    leased_.erase(segment->id());
  }
}

bool Segments::leased(std::uint64_t segment) {
  std::lock_guard lock(mutex_);
  return leased_.contains(segment);
}

void Segments::hand_over(std::uint64_t segment) {
  std::lock_guard lock(mutex_);
  const auto found = leased_.find(segment);
  if (found == leased_.end()) return;
  std::unique_ptr<detail::Segment> given = std::move(found->second);
  leased_.erase(found);
  if (std::erase(idle_, given.get()) != 0) {
    keep_mapping(*given);
  } else {
    given_.push_back(std::move(given));  // the task kept a Buffer over it
  }
}

/// The warm mapping waits for the day when the host lends this segment again.
void Segments::keep_mapping(detail::Segment& segment) {
  const auto known = known_.find(segment.id());
  if (known == known_.end()) return;
  known->second.write = segment.take_mapping();
  known->second.fd.reset();  // results may wait in the host by the thousand, and each would hold one here
}

void Segments::take_back(detail::Segment* segment) noexcept {
  std::lock_guard lock(mutex_);
  const auto given =
      std::find_if(given_.begin(), given_.end(), [segment](const auto& entry) { return entry.get() == segment; });
  if (given == given_.end()) {
    idle_.push_back(segment);
  } else {
    keep_mapping(*segment);
    given_.erase(given);
  }
}

}  // namespace hotspare::worker
