#pragma once

#include "os/owner.hpp"
#include "os/result.hpp"
#include "shm/segment.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <vector>

namespace hotspare::shm {

/// What an arena may hold: bytes, and numbers of segments, for each is a mapping, and most are a descriptor.
struct ArenaLimits {
  std::size_t bytes = 0;       ///< In all.
  std::size_t warm_bytes = 0;  ///< Kept for whoever wants one next,
  std::size_t warm = 0;        ///< and how many;
  std::size_t idle_bytes = 0;  ///< the same while all are back, though two of any size may stay.
  std::size_t idle = 0;
  std::int64_t warm_for_ns = 0;  ///< So long unused, and it is given back to the system.
};
/// For this process: by its memory (its cgroup's, if that has less) and by what it may have open.
ArenaLimits arena_limits();

/// The host's segments for large payloads. Those given back stay warm (their pages exist) for a while: writing fresh
/// pages is ten times slower than writing warm ones. A segment that a worker could write is lent to that worker alone, and
/// is gone with it: a child that the worker left behind may write there still. One that was lent while the host forked is
/// not lent again either: the fork may hold it.
/// Threads: any. In a fork of the process that made it: none.
class Arena : public detail::SegmentHome, public std::enable_shared_from_this<Arena> {
 public:
  explicit Arena(const ArenaLimits& limits);
  ~Arena() override;

  /// At least so many bytes, for the host itself (writer 0) or to be written by that worker. The host's own can be touched
  /// everywhere; a worker makes sure of that itself (os::make_room).
  os::Result<detail::SegmentRef> allocate(std::size_t size, std::uint64_t writer);
  /// That worker is dead and reaped.
  void writer_gone(std::uint64_t writer);
  /// Who must be shown it has seen it: if there are many descriptors, it does without its own.
  void shown(detail::Segment& segment);
  bool exists(std::uint64_t segment) const;
  std::size_t bytes() const;
  /// How many went without their pages, which a fork of the host may read still: workers that map them keep these alive.
  std::uint64_t left_to_forks() const { return left_to_forks_.load(std::memory_order_relaxed); }

  /// call: when something is warm and nobody has said that he will trim(). The arena's own mutex is held then.
  void on_warm(std::function<void()> call);
  /// Gives back what has been warm for too long. When to come again, ns; 0: when called.
  std::int64_t trim(std::int64_t now);
  /// From now on nothing stays warm.
  void close();

  void take_back(detail::Segment* segment) noexcept override;

 private:
  detail::Segment* take_warm(std::size_t size, std::uint64_t writer);
  /// Bytes that were promised to a segment which is being made: given back unless that succeeds.
  class Promised;
  detail::Segment* take_warm_of(std::uint64_t writer) noexcept;
  detail::Segment* take_oldest() noexcept;
  detail::Segment* take_surplus() noexcept;
  bool too_much_is_warm() const noexcept;
  bool keep_warm(detail::Segment& segment) noexcept;
  void account_for_end(const detail::Segment& segment) noexcept;
  void free_surplus(detail::Segment* first) noexcept;
  void free(detail::Segment* segment) noexcept;

  const os::Owner owner_;
  const ArenaLimits limits_;
  mutable std::mutex mutex_;
  std::vector<detail::Segment*> warm_;  // oldest first
  std::size_t warm_bytes_ = 0;
  std::size_t bytes_ = 0;  ///< Of all, those being made among them.
  std::unordered_set<std::uint64_t> alive_;
  std::unordered_set<std::uint64_t> writers_;
  std::atomic<std::uint64_t> left_to_forks_{0};
  std::function<void()> on_warm_;
  bool watched_ = false;  ///< Somebody will call trim().
  bool closed_ = false;
};

}  // namespace hotspare::shm
