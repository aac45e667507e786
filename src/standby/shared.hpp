#pragma once

#include "os/fd.hpp"
#include "os/memory.hpp"
#include "standby/layout.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hotspare::standby {

/// The host's view of a channel's shared memory, all of it present and writable. What lanes hold is treated as written by
/// an enemy.
class Shared {
 public:
  /// Throws Error.
  Shared(const Geometry& geometry, std::span<const std::byte> arguments, bool lock);

  Blocks& blocks() const { return *blocks_.as<Blocks>(); }
  Bells& bells() const { return *bells_.as<Bells>(); }
  const Geometry& geometry() const { return geometry_; }  // our own copy
  Lane& lane(unsigned number) const { return *reinterpret_cast<Lane*>(lanes_.data() + layout_.lane_at(number)); }
  std::span<std::byte> input(std::uint64_t block) const {
    return {blocks_.data() + layout_.input_at(block), geometry_.bytes_in};
  }
  std::span<const std::byte> answer(unsigned lane, std::uint64_t block) const {
    return {lanes_.data() + layout_.lane_at(lane) + layout_.answer_at(block), geometry_.bytes_out};
  }
  /// The host's alone to write.
  std::atomic<std::uint64_t>& mark(std::uint64_t block) const {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(blocks_.data() + layout_.mark_at(block));
  }
  bool is_left_out(std::uint64_t block) const {
    return mark_of(mark(block).load(std::memory_order_seq_cst), block) == Mark::left_out;
  }
  /// As new, for the next replica. The one before must be gone.
  void renew(unsigned lane) const;

  /// All who sleep on it look again.
  void wake_working() const noexcept;
  void wake_parked() const noexcept;

  const os::Fd& blocks_fd() const { return blocks_fd_; }
  const os::Fd& bells_fd() const { return bells_fd_; }
  const os::Fd& lanes_fd() const { return lanes_fd_; }
  /// Why the pages could not be locked; empty if they were, or need not be.
  const std::string& not_locked() const { return not_locked_; }

 private:
  Geometry geometry_;
  Layout layout_;
  os::Fd blocks_fd_, bells_fd_, lanes_fd_;
  os::Mapping blocks_, bells_, lanes_;
  std::string not_locked_;
};

}  // namespace hotspare::standby
