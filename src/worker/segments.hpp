#pragma once

#include "os/fd.hpp"
#include "os/memory.hpp"
#include "os/socket.hpp"
#include "shm/segment.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

namespace hotspare::worker {

/// Host → worker, with one descriptor (or none: the segment is gone).
struct SegmentMessage {
  std::uint64_t segment = 0;
  std::uint64_t size = 0;
};

/// The segments that the host let this worker see. Descriptors come over a socket before a task that needs them;
/// mappings are kept, because making one costs more than a small copy.
/// Threads: any of the worker's.
class Segments : public detail::SegmentHome, public std::enable_shared_from_this<Segments> {
 public:
  /// One in a worker process.
  explicit Segments(os::Fd socket);

  /// Read-only bytes of a segment that the host announced. Throws PayloadError.
  const std::byte* view(std::uint64_t segment, std::size_t size);
  /// A read-only Buffer over it.
  Buffer buffer(std::uint64_t segment, std::size_t size);
  /// A Buffer with a mapping of its own, copy on write: what the task writes nobody else sees.
  Buffer private_buffer(std::uint64_t segment, std::size_t size);
  /// Asks the host for a writable segment, and waits for it. Throws std::bad_alloc when there is no memory, PayloadError when
  /// this worker or all together hold as many as they may. What this worker forks does not inherit it.
  detail::SegmentRef lease(std::size_t size);
  /// Those that nothing refers to any more go back to the host.
  void return_idle();
  /// The host takes it over together with a result.
  void hand_over(std::uint64_t segment);

  /// Takes in what the host has announced. Does not wait.
  void read_announced();
  /// Whether the task may still give it away: leased, and not handed over yet.
  bool leased(std::uint64_t segment);

  void take_back(detail::Segment* segment) noexcept override;

 private:
  /// Shared with the Buffers over it: a task may keep one longer than the host lets us know the segment.
  struct ReadMapping : detail::SegmentHome {
    os::Mapping mapping;
    void take_back(detail::Segment* view) noexcept override { delete view; }
  };
  struct Known {
    os::Fd fd;  ///< Closed when the mapping to write is kept.
    std::size_t size = 0;
    std::shared_ptr<ReadMapping> read;
    os::Mapping write;
  };
  /// What must be there of a segment: a descriptor, or a mapping that makes it unnecessary.
  enum class Have : unsigned char { to_read, to_write, descriptor };
  static bool has(const Known& known, Have have);
  Known& wait_for(std::uint64_t segment, Have have);
  void note(const SegmentMessage& message, os::Received& received);
  static os::Mapping map(const Known& known, os::Access access, os::OnFork on_fork);
  static std::byte* map_to_read(Known& known);
  std::uint64_t request(std::size_t size);
  detail::SegmentRef take_idle(std::size_t size);
  void find_kept_mapping(std::uint64_t segment);
  static os::Mapping map_lease(std::uint64_t segment, Known& known);
  void keep_mapping(detail::Segment& segment);

  os::Fd socket_;
  std::mutex leasing_;  ///< Held by the one that asks the host for a segment. Before mutex_.
  std::recursive_mutex mutex_;
  std::map<std::uint64_t, Known> known_;
  std::set<std::uint64_t> lost_;  ///< Sent, when there was no descriptor left to receive them.
  std::map<std::uint64_t, std::unique_ptr<detail::Segment>> leased_;  ///< Ours to write.
  std::vector<std::unique_ptr<detail::Segment>> given_;  ///< Handed over, and still referred to by the task's Buffers.
  std::vector<detail::Segment*> idle_;                   ///< Leased and not used: for the next wish of their size.
};

}  // namespace hotspare::worker
