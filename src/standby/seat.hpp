#pragma once

#include "os/fd.hpp"
#include "os/memory.hpp"
#include "standby/layout.hpp"
#include "standby/replica_main.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace hotspare::standby {

/// All that makes this process a certain replica: its lane, its view of the others, its lifeline. An heir gives up the seat
/// that it inherited and takes one of its own.
class Seat {
 public:
  /// Makes this process the replica: its group, lifeline, stderr, mappings, crash handler, and the robust mutexes, which it
  /// holds from now on. Ends the process when that is not possible.
  static std::unique_ptr<Seat> take(const ReplicaStart& start, std::vector<os::Fd> fds);

  const Blocks& blocks() const { return *blocks_.as<const Blocks>(); }
  const Geometry& geometry() const { return blocks().geometry; }
  Bells& bells() const { return *bells_.as<Bells>(); }
  Lane& lane() const { return *own_.as<Lane>(); }
  const Lane& lane_of(std::uint32_t lane) const {
    return *reinterpret_cast<const Lane*>(lanes_.data() + layout_.lane_at(lane));
  }
  std::uint32_t number() const { return number_; }
  const os::Fd& orders() const { return orders_; }

  std::span<const std::byte> arguments() const {
    return {blocks_.data() + layout_.arguments_at(), geometry().arguments_bytes};
  }
  std::span<const std::byte> input(std::uint64_t block) const {
    return {blocks_.data() + layout_.input_at(block), geometry().bytes_in};
  }
  Mark mark(std::uint64_t block) const {
    const auto* const word =
        reinterpret_cast<const std::atomic<std::uint64_t>*>(blocks_.data() + layout_.mark_at(block));
    return mark_of(word->load(std::memory_order_seq_cst), block);
  }
  std::span<std::byte> answer(std::uint64_t block) const {
    return {own_.data() + layout_.answer_at(block), geometry().bytes_out};
  }
  std::span<std::byte> own_state(std::uint64_t index) const {
    return {own_.data() + layout_.state_at(index), geometry().state_bytes};
  }
  std::span<const std::byte> state_of(std::uint32_t lane, std::uint64_t index) const {
    return {lanes_.data() + layout_.lane_at(lane) + layout_.state_at(index), geometry().state_bytes};
  }

 private:
  Seat(const ReplicaStart& start, std::vector<os::Fd>& fds);

  std::uint32_t number_;
  os::Fd lifeline_;
  os::Fd orders_;
  os::Mapping blocks_;
  Layout layout_;
  os::Mapping bells_;
  os::Mapping lanes_;  ///< All, read-only.
  os::Mapping own_;    ///< Writable.
};

}  // namespace hotspare::standby
