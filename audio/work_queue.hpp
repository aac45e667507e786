#pragma once

#include <lv2/worker/worker.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hotspare::audio {

/// Messages of any size in memory that is taken once: put and take never allocate.
class MessageQueue {
 public:
  explicit MessageQueue(std::size_t bytes) : memory_(bytes) {}
  /// False if there is no room.
  bool put(const void* data, std::uint32_t size);
  /// Hands out all messages, oldest first, those that are put meanwhile among them. Empty afterwards.
  template <class F>
  void take_all(F&& use) {
    for (std::size_t at = 0; at < used_;) {
      const std::span<const std::byte> message = message_at(at);
      at = next(at, message.size());
      use(static_cast<std::uint32_t>(message.size()), message.data());
    }
    used_ = 0;
  }
  bool empty() const { return used_ == 0; }

 private:
  std::span<const std::byte> message_at(std::size_t at) const;
  static std::size_t next(std::size_t at, std::size_t size);

  std::vector<std::byte> memory_;
  std::size_t used_ = 0;
};

/// work:schedule for one plug-in, without a thread: what its run() schedules is done right after that run(), in the same
/// block and on the same thread.
///
/// Why: replicas of a plug-in must be in step to the sample. With a worker thread the block in which an answer arrives
/// would depend on the scheduler, and two replicas would part for good. The price: what a plug-in takes for too slow for a
/// real-time thread (reading a file, say) now takes its time from the block in which it was asked for. A replica that is
/// late for that is covered by the channel as any other late replica, if not all are; so this is for work that is rare.
class WorkQueue {
 public:
  WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  LV2_Worker_Schedule* feature() { return &schedule_; }
  /// Once the plug-in is there; interface: null if it has none.
  void attach(LV2_Handle plugin, const LV2_Worker_Interface* interface);
  /// Does what was scheduled: for what schedules outside of run().
  void work();
  /// After each run().
  void end_run();

 private:
  LV2_Handle plugin_ = nullptr;
  const LV2_Worker_Interface* interface_ = nullptr;
  LV2_Worker_Schedule schedule_;
  MessageQueue requests_;
  MessageQueue answers_;
};

}  // namespace hotspare::audio
