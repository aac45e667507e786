#include "shm/segment.hpp"

#include <algorithm>

namespace hotspare::detail {

void Segment::release() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const std::shared_ptr<SegmentHome> home = std::move(home_);
  if (home != nullptr) {
    home->take_back(this);
  } else {
    delete this;
  }
}

std::uint64_t next_segment_id() {
  // Over all pools of this process: a Buffer of one pool may be an argument in another.
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

os::Result<SegmentRef> make_standalone_segment(std::size_t size) {
  const std::size_t page = os::page_size();
  const std::size_t rounded = std::max(page, (size + page - 1) / page * page);
  auto fd = os::make_memfd("hotspare-buffer", rounded);
  if (!fd) return fd.failure();
  auto mapping = os::Mapping::of(*fd, rounded, os::Access::read_write);
  if (!mapping) return mapping.failure();
  auto* segment = new Segment(next_segment_id(), rounded, std::move(*fd), std::move(*mapping));
  segment->lend(nullptr);
  return SegmentRef(segment);
}

void segment_retain(Segment* segment) noexcept { segment->retain(); }
void segment_release(Segment* segment) noexcept { segment->release(); }

}  // namespace hotspare::detail
