#include "shm/segment.hpp"

#include "os/process.hpp"

#include <algorithm>
#include <new>

namespace hotspare::detail {
namespace {

/// Of all segments of this process, whichever pool's.
std::atomic<std::size_t> descriptors{0};

}  // namespace

Segment::Segment(std::uint64_t id, std::size_t size, os::Fd fd, os::Mapping mapping)
    : id_(id), size_(size), fd_(std::move(fd)), mapping_(std::move(mapping)) {
  if (fd_) descriptors.fetch_add(1, std::memory_order_relaxed);
}

Segment::~Segment() { close_fd(); }

void Segment::close_fd() {
  if (!fd_) return;
  fd_.reset();
  descriptors.fetch_sub(1, std::memory_order_relaxed);
}

void Segment::release() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (!owner_.is_this()) return let_go_in_fork();
  const std::shared_ptr<SegmentHome> home = std::move(home_);
  if (home != nullptr) {
    home->take_back(this);
  } else {
    delete this;
  }
}

/// The address space is the fork's own; all else is its parent's. Its arena may be as another thread left it at the fork.
void Segment::let_go_in_fork() noexcept {
  static_cast<void>(fd_.release());
  // NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): without memory for a pointer the process may end
  static_cast<void>(new std::shared_ptr<SegmentHome>(std::move(home_)));
  delete this;
}

bool segments_hold_many_descriptors() noexcept {
  constexpr std::size_t few = 64;
  const std::size_t now = descriptors.load(std::memory_order_relaxed);
  return now > few && now > os::descriptor_limit() / 4;
}

std::uint64_t next_segment_id() {
  // Over all pools of this process: a Buffer of one pool may be an argument in another.
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

os::Result<SegmentRef> make_standalone_segment(std::size_t size, Descriptor descriptor) {
  const std::size_t page = os::page_size();
  const std::size_t rounded = std::max(page, (size + page - 1) / page * page);
  if (rounded < size) return os::Failure{ENOMEM, "segment of " + std::to_string(size) + " bytes"};
  auto fd = os::make_memfd("hotspare-buffer", rounded);
  if (!fd) return fd.failure();
  auto mapping = os::Mapping::of(*fd, rounded, os::Access::read_write);
  if (!mapping) return mapping.failure();
  auto* segment = new Segment(next_segment_id(), rounded, std::move(*fd), std::move(*mapping));
  segment->lend(nullptr);
  SegmentRef made(segment);
  if (descriptor == Descriptor::when_few && segments_hold_many_descriptors()) made->close_fd();
  return made;
}

void segment_retain(Segment* segment) noexcept { segment->retain(); }
void segment_release(Segment* segment) noexcept { segment->release(); }

}  // namespace hotspare::detail
