#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace hotspare::shm {

/// Segments that one worker may hold, and all workers of a pool together: each is a mapping in the host, which may have
/// some 65 000 (vm.max_map_count).
inline constexpr std::size_t most_leases_of_worker = 2048;
inline constexpr std::size_t most_leases = 8192;

/// Worker → host: segments that were lent to it and that it does not need. A ring of their ids; the positions only grow.
struct ReturnedLeases {
  static constexpr std::uint64_t capacity = most_leases_of_worker;

  std::atomic<std::uint64_t> given{0};  ///< By the worker.
  std::atomic<std::uint64_t> taken{0};  ///< By the host.
  std::atomic<std::uint64_t> ids[capacity]{};

  /// The worker's. False: the host has not yet taken those before.
  bool give(std::uint64_t id) {
    const std::uint64_t at = given.load(std::memory_order_relaxed);
    if (at - taken.load(std::memory_order_acquire) >= capacity) return false;
    ids[at % capacity].store(id, std::memory_order_relaxed);
    // SYNC POINT lease-return: acquired by take().
    given.store(at + 1, std::memory_order_release);
    return true;
  }
  /// The host's, which keeps its own position: calls back with each id since then. What cannot be is passed over.
  template <class F>
  void take(std::uint64_t& position, F each) {
    // SYNC POINT lease-return: released by give().
    const std::uint64_t end = given.load(std::memory_order_acquire);
    if (end == position) return;
    if (end - position > capacity) position = end;
    for (; position != end; ++position) each(ids[position % capacity].load(std::memory_order_relaxed));
    taken.store(end, std::memory_order_release);
  }
};

}  // namespace hotspare::shm
