#include "work_queue.hpp"

#include <algorithm>
#include <cstring>

namespace hotspare::audio {

namespace {

/// As much as jalv gives, Lilv's own host.
constexpr std::size_t queue_bytes = 64 * 1024;

/// Bounds what one block can set off: a plug-in whose answers schedule work again would never end.
constexpr int most_rounds = 16;

}  // namespace

std::size_t MessageQueue::next(std::size_t at, std::size_t size) {
  const std::size_t end = at + sizeof(std::uint64_t) + size;
  return (end + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t) * sizeof(std::uint64_t);
}

bool MessageQueue::put(const void* data, std::uint32_t size) {
  const std::size_t end = next(used_, size);
  if (end > memory_.size()) return false;
  const std::uint64_t header = size;  // eight bytes, so that each message is aligned as malloc's would be, nearly
  std::memcpy(&memory_[used_], &header, sizeof header);
  if (size != 0) std::memcpy(&memory_[used_ + sizeof header], data, size);
  used_ = end;
  return true;
}

std::span<const std::byte> MessageQueue::message_at(std::size_t at) const {
  std::uint64_t size = 0;
  std::memcpy(&size, &memory_[at], sizeof size);
  return std::span(memory_).subspan(at + sizeof size, size);
}

WorkQueue::WorkQueue()
    : schedule_{this,
                [](LV2_Worker_Schedule_Handle self, std::uint32_t size, const void* data) {
                  return static_cast<WorkQueue*>(self)->requests_.put(data, size) ? LV2_WORKER_SUCCESS
                                                                                  : LV2_WORKER_ERR_NO_SPACE;
                }},
      requests_(queue_bytes),
      answers_(queue_bytes) {}

void WorkQueue::attach(LV2_Handle plugin, const LV2_Worker_Interface* interface) {
  plugin_ = plugin;
  interface_ = interface;
}

void WorkQueue::work() {
  if (interface_ == nullptr) return;
  const LV2_Worker_Respond_Function respond = [](LV2_Worker_Respond_Handle self, std::uint32_t size, const void* data) {
    return static_cast<WorkQueue*>(self)->answers_.put(data, size) ? LV2_WORKER_SUCCESS : LV2_WORKER_ERR_NO_SPACE;
  };
  for (int round = 0; !requests_.empty() && round < most_rounds; ++round) {
    requests_.take_all(
        [&](std::uint32_t size, const void* data) { interface_->work(plugin_, respond, this, size, data); });
    answers_.take_all([&](std::uint32_t size, const void* data) {
      if (interface_->work_response != nullptr) interface_->work_response(plugin_, size, data);
    });
  }
}

void WorkQueue::end_run() {
  work();
  if (interface_ != nullptr && interface_->end_run != nullptr) interface_->end_run(plugin_);
}

}  // namespace hotspare::audio
