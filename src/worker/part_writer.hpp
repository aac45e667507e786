#pragma once

#include "shm/channel.hpp"

#include <hotspare/detail/parts.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace hotspare::worker {

/// Where parts are being written.
struct PartsRoom {
  std::byte* data = nullptr;
  std::size_t size = 0;
  shm::PayloadAt at;  ///< Its place and where in it; not how much.
};

/// Writes a task's parts into shared memory and publishes each when it is whole: killed at any instruction, all those
/// published are there, and nothing else. Moves to a larger room when one is full; the old one stays valid until then.
class PartWriter {
 public:
  bool begun() const { return room_.data != nullptr; }
  std::size_t written() const { return written_; }
  const PartsRoom& room() const { return room_; }

  /// How much room the next part takes.
  static std::size_t needed(std::size_t bytes, std::size_t attachments);
  bool fits(std::size_t more) const { return more <= room_.size - written_; }
  /// From now on they are written here; what is there already comes along.
  void move_to(const PartsRoom& room, shm::Parts& shared, std::uint64_t ticket);
  /// Room for the bytes of the next part, whose needed() fits.
  std::byte* begin(std::size_t bytes, std::span<const std::uint64_t> attachments, bool raised);
  void publish(shm::Parts& shared);

 private:
  PartsRoom room_;
  std::size_t written_ = 0;  ///< Published.
  std::size_t next_ = 0;     ///< After the part that is being written.
  unsigned place_ = 0;
};

}  // namespace hotspare::worker
