#pragma once

#include "os/data_limit.hpp"
#include "shm/channel.hpp"
#include "worker/part_writer.hpp"
#include "worker/segments.hpp"

#include <hotspare/detail/task_ref.hpp>

#include <vector>

namespace hotspare::worker {

/// Runs one task at a time: finds its arguments, calls it, and puts its result or exception where the host finds it.
class TaskRunner final : public detail::TaskContext {
 public:
  explicit TaskRunner(Segments& segments) : segments_(segments) {}

  /// Afterwards the slot describes the outcome and can be committed.
  void run(shm::TaskSlot& slot);
  /// The outcome counts: what it refers to is the host's now.
  void committed();

  std::span<const std::byte> arguments() const override { return arguments_; }
  std::byte* reserve_result(std::size_t bytes) override;
  void mark_raised() override;
  std::byte* reserve_part(std::size_t bytes, bool raised) override;
  void give_part() override;
  void give_raised_part() override;
  void end_parts() override;
  Buffer fetch_private(std::uint64_t handle, std::uint64_t size) override;
  std::uint64_t attach(const Buffer& buffer) override;
  Buffer fetch(std::uint64_t handle, std::uint64_t size) override;

 private:
  void call();
  void give_exception(const std::string& encoded);
  std::byte* room_in_outbox(std::size_t bytes);
  // parts.cc
  void make_room_for_parts(std::size_t more);

  Segments& segments_;
  os::MemoryGauge gauge_;
  os::DataLimit data_limit_;
  shm::TaskSlot* slot_ = nullptr;
  std::span<const std::byte> arguments_;
  std::uint64_t outbox_filled_ = 0;
  shm::PayloadAt result_;
  std::uint64_t result_box_end_ = 0;
  detail::SegmentRef result_segment_;
  std::vector<std::uint64_t> attachments_;  ///< Ids of the segments that the result refers to.
  PartWriter parts_;
  std::size_t attached_before_ = 0;       ///< To the parts that are written.
  std::vector<std::uint64_t> fetched_;    ///< Ids of the segments among the arguments.
  std::vector<detail::SegmentRef> kept_;  ///< The same, kept alive until the commit.
};

}  // namespace hotspare::worker
