#pragma once

#include "os/owner.hpp"
#include "task/task.hpp"
#include "worker/part_writer.hpp"

#include <hotspare/detail/task_ref.hpp>

#include <span>
#include <vector>

namespace hotspare::detail {

/// One run of a task in the host itself: what TaskRunner is in a worker. Nothing has to travel, so results lie in this
/// process's own memory, and Buffers are handed on as they are.
class HostContext final : public TaskContext {
 public:
  /// Under the pool's mutex. Task and owner, which knows this process from its forks, must outlive it.
  HostContext(Task& task, const os::Owner& owner);

  /// Without the mutex. Never throws: what the task throws is its result.
  void run();
  bool raised() const { return raised_; }
  Payload take_result() { return result_.take(); }
  std::vector<SegmentRef> take_segments() { return std::move(segments_); }

  std::span<const std::byte> arguments() const override { return arguments_; }
  std::byte* reserve_result(std::size_t bytes) override { return result_.reserve(bytes); }
  void mark_raised() override { raised_ = true; }
  std::byte* reserve_part(std::size_t bytes, bool raised) override;
  void give_part() override;
  void give_raised_part() override;
  void end_parts() override;
  std::uint64_t attach(const Buffer& buffer) override;
  Buffer fetch(std::uint64_t handle, std::uint64_t size) override;
  Buffer fetch_private(std::uint64_t handle, std::uint64_t size) override;

 private:
  void drop_attachments(std::size_t from);

  const os::Owner& owner_;
  const FunctionRef entry_;
  const std::span<const std::byte> arguments_;
  const std::span<const Buffer> buffers_;  ///< Of the arguments.
  Payload result_;
  bool raised_ = false;
  std::vector<std::uint64_t> attachments_;  ///< Ids of the segments that the result refers to,
  std::vector<SegmentRef> segments_;        ///< and they themselves.
  worker::PartWriter parts_;
  shm::Parts published_;  ///< Nobody looks at it: there is no death that it would outlive.
  std::vector<std::byte> parts_room_;
  std::size_t attached_before_ = 0;  ///< To the parts that are written.
};

}  // namespace hotspare::detail
