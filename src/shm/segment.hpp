#pragma once

#include "os/fd.hpp"
#include "os/memory.hpp"
#include "os/owner.hpp"
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

/// One piece of shared memory as this process sees it, counted. A fork of this process may let go of what it inherited: that
/// touches neither the bytes nor a descriptor, whose number may be another's there.
class Segment {
 public:
  Segment(std::uint64_t id, std::size_t size, os::Fd fd, os::Mapping mapping);
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  std::uint64_t id() const { return id_; }
  std::size_t size() const { return size_; }
  const os::Fd& fd() const { return fd_; }
  /// From now on no other process can be shown it.
  void close_fd();
  /// A fork of this process may have it, too: it was lent, or kept, when the fork was made.
  bool may_be_in_a_fork() const { return forks_when_lent_ != os::forks_so_far(); }
  std::byte* data() const { return mapping_.data(); }
  std::span<std::byte> bytes() const { return mapping_.bytes(); }

  const os::Mapping& mapping() const { return mapping_; }
  /// For a segment that goes back to whoever keeps its mapping.
  os::Mapping take_mapping() { return std::move(mapping_); }

  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept;
  /// Gives it its first reference, and where it returns to (null: it is deleted).
  void lend(std::shared_ptr<SegmentHome> home) noexcept {
    home_ = std::move(home);
    forks_when_lent_ = os::forks_so_far();
    references_.store(1, std::memory_order_relaxed);
  }

  /// The one worker that may have it mapped writable; 0: none. Guarded by the arena.
  std::uint64_t writer = 0;
  /// When it came back to the arena, CLOCK_MONOTONIC, ns; 0: it is lent. Guarded by the arena.
  std::int64_t back_at = 0;

 private:
  void let_go_in_fork() noexcept;

  const os::Owner owner_;
  std::uint64_t id_;
  std::size_t size_;
  os::Fd fd_;
  os::Mapping mapping_;
  std::uint64_t forks_when_lent_ = 0;
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
/// Whether a segment keeps its descriptor, without which no worker can be shown it: always, or while there are few.
enum class Descriptor : unsigned char { kept, when_few };
/// A segment that belongs to no pool. Ids are unique in this process.
os::Result<SegmentRef> make_standalone_segment(std::size_t size, Descriptor descriptor);
/// Segments hold a large share of the descriptors that this process may have: one that can do without closes its own.
bool segments_hold_many_descriptors() noexcept;
std::uint64_t next_segment_id();

/// A Buffer over the segment's first bytes that takes the reference over.
inline Buffer to_buffer(SegmentRef segment, std::size_t size) {
  std::byte* data = segment->data();
  return {segment.release(), data, size};
}

}  // namespace hotspare::detail
