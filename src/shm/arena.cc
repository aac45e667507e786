#include "shm/arena.hpp"

#include <algorithm>

namespace hotspare::shm {
namespace {

constexpr std::size_t granule = 64 * 1024;

os::Result<detail::Segment*> make_segment(std::size_t size) {
  auto fd = os::make_memfd("hotspare-payload", size);
  if (!fd) return fd.failure();
  auto mapping = os::Mapping::of(*fd, size, os::Access::read_write);  // a fork may look at what its parent holds
  if (!mapping) return mapping.failure();
  return new detail::Segment(detail::next_segment_id(), size, std::move(*fd), std::move(*mapping));
}

}  // namespace

Arena::~Arena() {
  for (detail::Segment* segment : warm_) delete segment;
}

os::Result<detail::SegmentRef> Arena::allocate(std::size_t size, std::uint64_t writer) {
  const std::size_t rounded = std::max(granule, (size + granule - 1) / granule * granule);
  if (rounded < size) return os::Failure{ENOMEM, "segment of " + std::to_string(size) + " bytes"};
  std::lock_guard lock(mutex_);
  detail::Segment* segment = take_warm(rounded, writer);
  if (segment == nullptr) {
    auto made = make_segment(rounded);
    if (!made) return made.failure();
    segment = *made;
    alive_.insert(segment->id());
    bytes_ += rounded;
  }
  segment->writer = writer;
  if (writer != 0) writers_.insert(writer);
  segment->lend(shared_from_this());
  return detail::SegmentRef(segment);
}

detail::Segment* Arena::take_warm(std::size_t size, std::uint64_t writer) {
  const auto fits = [&](const detail::Segment* segment, std::uint64_t of) {
    return segment->writer == of && segment->size() >= size && segment->size() / 2 <= size;
  };
  // Newest first: its pages are the likeliest to be in the cache. Its former writer has it mapped already.
  for (const std::uint64_t of : {writer, std::uint64_t{0}}) {
    const auto found = std::find_if(warm_.rbegin(), warm_.rend(), [&](auto* segment) { return fits(segment, of); });
    if (found == warm_.rend()) continue;
    detail::Segment* segment = *found;
    warm_.erase(std::next(found).base());
    warm_bytes_ -= segment->size();
    return segment;
  }
  return nullptr;
}

void Arena::arrived(detail::Segment& segment) {
  std::lock_guard lock(mutex_);
  if (alive_.size() - closed_ <= most_open_ || !segment.fd()) return;
  segment.close_fd();
  ++closed_;
}

void Arena::writer_gone(std::uint64_t writer) {
  std::lock_guard lock(mutex_);
  writers_.erase(writer);
  for (detail::Segment* segment : warm_)
    if (segment->writer == writer) segment->writer = 0;
}

void Arena::take_back(detail::Segment* segment) noexcept {
  std::lock_guard lock(mutex_);
  if (!segment->fd()) return destroy(segment);  // it cannot be lent any more
  if (segment->writer != 0 && !writers_.contains(segment->writer)) segment->writer = 0;
  warm_.push_back(segment);
  warm_bytes_ += segment->size();
  while (warm_bytes_ > warm_limit_) {
    detail::Segment* oldest = warm_.front();
    warm_.erase(warm_.begin());
    warm_bytes_ -= oldest->size();
    destroy(oldest);
  }
}

void Arena::destroy(detail::Segment* segment) noexcept {
  alive_.erase(segment->id());
  bytes_ -= segment->size();
  if (!segment->fd()) --closed_;
  os::free_pages(segment->bytes());  // workers may still have it mapped
  delete segment;
}

bool Arena::exists(std::uint64_t segment) const {
  std::lock_guard lock(mutex_);
  return alive_.contains(segment);
}

std::size_t Arena::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace hotspare::shm
