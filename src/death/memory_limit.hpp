#pragma once

#include "os/mappings.hpp"
#include "os/memory_use.hpp"

#include <algorithm>
#include <cstdint>
#include <span>

/// A task's memory limit as the host keeps it: what RLIMIT_DATA in the worker does not see, shared memory and children.
namespace hotspare::death {

/// What its worker had when the task began, bytes.
struct MemoryBefore {
  std::uint64_t anonymous = 0;
  std::uint64_t file_and_shared = 0;
};

/// What a task has added, bytes.
struct MemoryTaken {
  std::uint64_t anonymous = 0;  ///< In its worker.
  std::uint64_t shared = 0;     ///< In its worker and its children, each page once.
  std::uint64_t children = 0;   ///< Private memory of these, without what they still share with the worker.
  unsigned processes = 0;       ///< How many children.
  std::uint64_t total() const { return anonymous + shared + children; }
};

constexpr std::uint64_t less(std::uint64_t more, std::uint64_t taken) { return more > taken ? more - taken : 0; }

/// From counters alone, which cost some µs: it cannot be more than this. Payloads and what forks share are in it.
inline std::uint64_t taken_at_most(const MemoryBefore& before, const os::Resident& worker,
                                   std::span<const os::Resident> children) {
  std::uint64_t sum = less(worker.anonymous, before.anonymous) +
                      std::min(worker.shared, less(worker.file + worker.shared, before.file_and_shared));
  for (const os::Resident& child : children) sum += child.anonymous + child.shared;
  return sum;
}

/// From a walk over all pages.
inline MemoryTaken taken(const MemoryBefore& before, const os::Resident& worker, const os::Mapped& worker_mapped,
                         std::span<const os::Mapped> children) {
  MemoryTaken taken;
  taken.anonymous = less(worker.anonymous, before.anonymous);
  // What an earlier task left is in the share, but is no growth.
  taken.shared = std::min(worker_mapped.nameless_share, less(worker.file + worker.shared, before.file_and_shared));
  std::uint64_t alone = 0;
  std::uint64_t share = 0;
  for (const os::Mapped& child : children) {
    alone += child.anonymous_alone;
    share += child.anonymous_share;
    taken.shared += child.nameless_share;
    ++taken.processes;
  }
  // What the worker itself lacks of a page that it has is in the shares of those that have it, too. Where that is not only
  // its children (a zygote, other workers) it takes off too much; what the children have alone is theirs at any rate.
  const std::uint64_t with_worker = less(worker_mapped.anonymous, worker_mapped.anonymous_share);
  taken.children = std::max(alone, less(share, with_worker));
  return taken;
}

/// How often to look: a process can touch some 2 GB/s (measured, without huge pages), or what it was seen to do. The next
/// look comes before half of what is left can be used up, and a sixteenth of the limit (or 8 MB) more: so little beyond it
/// harms nobody, and a task that stays just below its limit is not looked at all the time.
constexpr std::int64_t next_look_ns(std::uint64_t limit, std::uint64_t at_most, double bytes_per_ns,
                                    unsigned processes) {
  constexpr std::int64_t soonest = 1'000'000;
  constexpr std::int64_t latest = 50'000'000;
  constexpr std::uint64_t grain = 8 << 20;
  const double fastest = std::max(2.0 * std::max(processes, 1U), bytes_per_ns);
  const double may_grow =
      static_cast<double>(less(limit, at_most)) / 2 + static_cast<double>(std::max(limit / 16, grain));
  return std::clamp(static_cast<std::int64_t>(std::min(may_grow / fastest, static_cast<double>(latest))), soonest,
                    latest);
}

/// One task under its limit: what is known of it from one look to the next.
struct LimitWatch {
  std::uint64_t ticket = 0;
  std::uint64_t excused = 0;       ///< The last walk found so much in the counters that is not the task's.
  std::int64_t excused_until = 0;  ///< It may have been given back, and something else taken, ns.
  std::uint64_t last_at_most = 0;
  std::int64_t last_look = 0;

  std::uint64_t estimate(std::uint64_t at_most) const { return less(at_most, excused); }
  /// Whether the counters alone do not tell.
  bool needs_walk(std::uint64_t limit, std::uint64_t at_most, std::int64_t now) const {
    return at_most > limit && (estimate(at_most) > limit || now >= excused_until);
  }
  /// A walk takes a processor's time, and may not be done for more than a twentieth of it while nothing grows.
  void walked(std::uint64_t at_most, std::uint64_t found, std::int64_t begun, std::int64_t ended) {
    excused = less(at_most, found);
    excused_until = ended + std::max<std::int64_t>(250'000'000, 20 * (ended - begun));
  }
  /// Returns the pace since the last look.
  double looked(std::uint64_t at_most, std::int64_t now) {
    const bool grew = last_look != 0 && now > last_look && at_most > last_at_most;
    const double pace = grew ? static_cast<double>(at_most - last_at_most) / static_cast<double>(now - last_look) : 0.0;
    last_at_most = at_most;
    last_look = now;
    return pace;
  }
};

}  // namespace hotspare::death
