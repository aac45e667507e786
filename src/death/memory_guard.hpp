#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace hotspare::death {

/// What a pool may take, bytes; 0: no such rule.
struct MemoryRule {
  std::uint64_t budget = 0;   ///< All workers together.
  std::uint64_t reserve = 0;  ///< Must stay free on the machine, or in the cgroup.
  bool last_resort = false;   ///< Nobody has asked for it: what is ended is not run again.
  std::uint64_t least = 0;    ///< Who has less is not ended: that would not help.
  bool any() const { return budget != 0 || reserve != 0; }
};

/// Where the kernel would end host and workers together (memory.oom.group), and the pool has no rule of its own.
constexpr MemoryRule last_resort(std::uint64_t usable) {
  constexpr std::uint64_t mb = 1 << 20;
  const std::uint64_t reserve = std::min(std::max(usable / 16, std::min(16 * mb, usable / 8)), 512 * mb);
  return {.reserve = reserve, .last_resort = true, .least = reserve};
}

/// A worker that runs a task.
struct MemoryUser {
  std::uint64_t bytes = 0;
  std::int64_t begun_at = 0;
};

struct MemoryVerdict {
  bool hold = false;               ///< No new task may begin, but one alone.
  std::optional<std::size_t> end;  ///< This user makes room.
  std::int64_t look_again_ns = 0;  ///< From now on.
};

/// An idle worker that holds on to so much while memory is short is replaced.
constexpr bool is_idle_hog(std::uint64_t bytes, std::uint64_t used) {
  constexpr std::uint64_t much = 64 << 20;
  return bytes > much && bytes > used / 10;
}

/// The youngest of those that are large: it loses the least work, and gives back much.
inline std::optional<std::size_t> newest_large(std::span<const MemoryUser> users) {
  std::uint64_t largest = 0;
  for (const MemoryUser& user : users) largest = std::max(largest, user.bytes);
  std::optional<std::size_t> chosen;
  for (std::size_t i = 0; i < users.size(); ++i)
    if (users[i].bytes >= largest / 2 && (!chosen || users[i].begun_at > users[*chosen].begun_at)) chosen = i;
  return chosen;
}

/// idle_bytes: of workers without a task. available: what the machine or the cgroup still has.
/// The pace: a process can touch some 2 GB/s (measured: first touch of 100 MB takes 60 ms), so the next look comes before
/// all of them together can have used up half of what is left.
inline MemoryVerdict judge_memory(const MemoryRule& rule, std::span<const MemoryUser> users, std::uint64_t idle_bytes,
                                  std::uint64_t available) {
  constexpr std::int64_t soonest = 1'000'000;
  constexpr std::int64_t latest = 50'000'000;
  std::uint64_t used = idle_bytes;
  for (const MemoryUser& user : users) used += user.bytes;
  std::uint64_t left = UINT64_MAX;
  if (rule.budget != 0) left = rule.budget > used ? rule.budget - used : 0;
  if (rule.reserve != 0) left = std::min(left, available > rule.reserve ? available - rule.reserve : 0);
  MemoryVerdict verdict;
  // What idle workers have is no reason to end the only one that runs: they are replaced.
  const bool alone_within = users.size() == 1 && rule.budget != 0 && users[0].bytes <= rule.budget && rule.reserve == 0;
  if (left == 0 && !alone_within) verdict.end = newest_large(users);
  if (verdict.end && users[*verdict.end].bytes < rule.least) verdict.end.reset();
  const std::uint64_t near = rule.budget != 0 ? rule.budget / 10 : rule.reserve / 4;
  verdict.hold = left <= near;
  const double bytes_per_ns = 2.0 * static_cast<double>(std::max<std::size_t>(users.size(), 1));
  const double time = static_cast<double>(left) / 2 / bytes_per_ns;
  verdict.look_again_ns =
      time >= static_cast<double>(latest) ? latest : std::max(soonest, static_cast<std::int64_t>(time));
  return verdict;
}

}  // namespace hotspare::death
