#pragma once

#include "os/fd.hpp"
#include "os/memory.hpp"
#include "os/result.hpp"

#include <hotspare/buffer.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

namespace hotspare::detail {

/// Where a segment goes when nobody refers to it any more.
class SegmentHome {
 public:
  virtual ~SegmentHome() = default;
  virtual void take_back(Segment* segment) noexcept = 0;
};

/// One piece of shared memory as this process sees it, counted.
class Segment {
 public:
  Segment(std::uint64_t id, std::size_t size, os::Fd fd, os::Mapping mapping)
      : id_(id), size_(size), fd_(std::move(fd)), mapping_(std::move(mapping)) {}

  std::uint64_t id() const { return id_; }
  std::size_t size() const { return size_; }
  const os::Fd& fd() const { return fd_; }
  /// From now on no other process can be shown it.
  void close_fd() { fd_.reset(); }
  std::byte* data() const { return mapping_.data(); }
  std::span<std::byte> bytes() const { return mapping_.bytes(); }

  /// For a segment that goes back to whoever keeps its mapping.
  os::Mapping take_mapping() { return std::move(mapping_); }

  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept;
  /// Gives it its first reference, and where it returns to (null: it is deleted).
  void lend(std::shared_ptr<SegmentHome> home) noexcept {
    home_ = std::move(home);
    references_.store(1, std::memory_order_relaxed);
  }

  /// The one worker that may have it mapped writable; 0: none. Guarded by the arena.
  std::uint64_t writer = 0;

 private:
  std::uint64_t id_;
  std::size_t size_;
  os::Fd fd_;
  os::Mapping mapping_;
  std::atomic<std::uint32_t> references_{0};
  std::shared_ptr<SegmentHome> home_;  ///< Keeps the arena alive as long as a segment is lent, pool or no pool.
};

/// One counted reference to a segment.
struct SegmentRelease {
  void operator()(Segment* segment) const noexcept { segment->release(); }
};
using SegmentRef = std::unique_ptr<Segment, SegmentRelease>;

inline SegmentRef share(Segment* segment) {
  segment->retain();
  return SegmentRef(segment);
}
/// A segment that belongs to no pool. Ids are unique in this process.
os::Result<SegmentRef> make_standalone_segment(std::size_t size);
std::uint64_t next_segment_id();

/// A Buffer over the segment's first bytes that takes the reference over.
inline Buffer to_buffer(SegmentRef segment, std::size_t size) {
  std::byte* data = segment->data();
  return {segment.release(), data, size};
}

}  // namespace hotspare::detail
