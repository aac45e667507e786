#include "worker/part_writer.hpp"

#include <cstring>

namespace hotspare::worker {

using detail::PartHead;

namespace {

bool needs_long_head(std::size_t bytes, std::size_t attachments) {
  return attachments != 0 || bytes > PartHead::low_bits;
}

}  // namespace

std::size_t PartWriter::needed(std::size_t bytes, std::size_t attachments) {
  const std::size_t head =
      sizeof(std::uint32_t) + (needs_long_head(bytes, attachments) ? (1 + attachments) * sizeof(std::uint64_t) : 0);
  return head + bytes;
}

void PartWriter::move_to(const PartsRoom& room, shm::Parts& shared, std::uint64_t ticket) {
  if (written_ != 0) std::memcpy(room.data, room_.data, written_);
  const bool first = !begun();
  place_ ^= 1U;
  room_ = room;
  shared.place[place_] = room.at;
  // SYNC POINT parts: read by Engine::salvage when the worker is dead. The place is whole before it counts.
  shared.finished.store(shm::pack_parts(place_, written_), std::memory_order_release);
  if (first) shared.ticket.store(ticket, std::memory_order_release);
}

std::byte* PartWriter::begin(std::size_t bytes, std::span<const std::uint64_t> attachments, bool raised) {
  std::byte* at = room_.data + written_;
  const auto put = [&at](const void* data, std::size_t size) {
    std::memcpy(at, data, size);
    at += size;
  };
  std::uint32_t head = raised ? PartHead::raised_bit : 0;
  if (needs_long_head(bytes, attachments.size())) {
    head |= PartHead::long_bit | static_cast<std::uint32_t>(attachments.size());
    put(&head, sizeof head);
    const std::uint64_t size = bytes;
    put(&size, sizeof size);
    if (!attachments.empty()) put(attachments.data(), attachments.size_bytes());
  } else {
    head |= static_cast<std::uint32_t>(bytes);
    put(&head, sizeof head);
  }
  next_ = static_cast<std::size_t>(at - room_.data) + bytes;
  return at;
}

void PartWriter::publish(shm::Parts& shared) {
  written_ = next_;
  shared.finished.store(shm::pack_parts(place_, written_), std::memory_order_release);
}

}  // namespace hotspare::worker
