#pragma once

#include "os/result.hpp"
#include "shm/segment.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <vector>

namespace hotspare::shm {

/// The host's segments for large payloads. Those given back stay warm (their pages exist) up to a bound: writing fresh
/// pages is ten times slower than writing warm ones. A segment is writable in at most one worker's life: a worker that
/// runs wild can spoil only what it was lent itself.
/// Threads: any.
class Arena : public detail::SegmentHome, public std::enable_shared_from_this<Arena> {
 public:
  /// warm_limit: bytes. most_open: descriptors.
  Arena(std::size_t warm_limit, std::size_t most_open) : warm_limit_(warm_limit), most_open_(most_open) {}
  ~Arena() override;

  /// At least so many bytes, for the host itself (writer 0) or to be written by that worker.
  os::Result<detail::SegmentRef> allocate(std::size_t size, std::uint64_t writer);
  /// That worker is dead and reaped: what it could write may now be given to anybody.
  void writer_gone(std::uint64_t writer);
  /// A result came in it: its descriptor is of no use until it is lent again, and is closed if there are many.
  void arrived(detail::Segment& segment);
  bool exists(std::uint64_t segment) const;
  std::size_t bytes() const;

  void take_back(detail::Segment* segment) noexcept override;

 private:
  detail::Segment* take_warm(std::size_t size, std::uint64_t writer);
  void destroy(detail::Segment* segment) noexcept;

  const std::size_t warm_limit_;
  const std::size_t most_open_;
  mutable std::mutex mutex_;
  std::vector<detail::Segment*> warm_;  // oldest first
  std::size_t warm_bytes_ = 0;
  std::size_t bytes_ = 0;
  std::unordered_set<std::uint64_t> alive_;
  std::size_t closed_ = 0;  ///< Of those alive, without a descriptor.
  std::unordered_set<std::uint64_t> writers_;
};

}  // namespace hotspare::shm
