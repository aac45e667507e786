#include "death/stack_image.hpp"

#include "death/unwind.hpp"

#include <cstring>

namespace hotspare {

const std::vector<Frame>& detail::StackImage::frames() const {
  std::call_once(once_, [this] { frames_ = death::unwind(*this); });
  return frames_;
}

std::shared_ptr<detail::StackImage> detail::StackImage::told(std::vector<Frame> frames, std::int64_t thread_id) {
  auto image = std::make_shared<StackImage>();
  image->thread_id = static_cast<std::int32_t>(thread_id);
  std::call_once(image->once_, [&] { image->frames_ = std::move(frames); });
  return image;
}

namespace death {
namespace {

/// Reads a field once. WARNING: the writer may still live and change it between a check and its use.
template <class T>
T once(const T& field) {
  return __atomic_load_n(&field, __ATOMIC_RELAXED);
}

}  // namespace

std::shared_ptr<detail::StackImage> from_record(const worker::StackRecord& record) {
  // SYNC POINT stack-record
  if (record.complete.load(std::memory_order_acquire) != worker::StackRecord::kComplete) return nullptr;
  auto image = std::make_shared<detail::StackImage>();
  const std::uint32_t stack_size = once(record.stack_size);
  const std::uint32_t maps_size = once(record.maps_size);
  image->registers.count = once(record.register_count);
  if (stack_size > worker::StackRecord::kStackSize || maps_size > worker::StackRecord::kMapsSize) return nullptr;
  if (image->registers.count > image->registers.values.size()) return nullptr;
  std::memcpy(image->registers.values.data(), record.registers, sizeof record.registers);
  image->registers.pc = once(record.pc);
  image->registers.sp = once(record.sp);
  image->thread_id = once(record.thread_id);
  image->stack_low = once(record.stack_low);
  image->stack_high = once(record.stack_high);
  image->stack_start = once(record.stack_start);
  if (image->stack_start + stack_size < image->stack_start) return nullptr;
  image->stack.assign(record.stack, record.stack + stack_size);
  image->maps.assign(record.maps, maps_size);
  return image;
}

}  // namespace death
}  // namespace hotspare
