#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

/// Kills the workers of chosen tasks, each in its own way, and keeps count of what it did by itself, so
/// that the pool's verdicts can be held against it.
namespace transit {

enum class Way : std::uint8_t {
  none,
  kill_from_outside,   ///< SIGKILL by another process.
  kill_itself,         ///< SIGKILL by itself.
  segmentation_fault,  ///< A write through a null pointer.
  bus_error,           ///< A read beyond the end of a mapped file.
  division_by_zero,    ///< SIGFPE.
  illegal_instruction,
  abort,
  terminate,       ///< std::terminate, as by an exception that nobody catches.
  exit,            ///< The process leaves with code 3.
  stack_overflow,  ///< Endless recursion.
  memory,          ///< Allocates until the task's memory limit ends it.
  hang,            ///< An endless loop, until the task's timeout ends it.
};
inline constexpr std::size_t ways = static_cast<std::size_t>(Way::hang) + 1;
std::string_view name(Way way);

using Counts = std::array<std::uint64_t, ways>;

/// What one task is to do to itself. Plain bytes: it travels as a task's argument.
struct Sabotage {
  Way way = Way::none;
  std::int32_t host = 0;     ///< Process that keeps the count,
  std::int32_t ledger = -1;  ///< and its descriptor of it.
};

/// The saboteur's own count, in memory that it shares with the workers: it outlives each of them. Workers
/// reach it through the host's descriptor, so that it works for workers forked and for those started afresh.
class Ledger {
 public:
  /// Throws std::system_error when there is no shared memory to be had.
  Ledger();
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  Counts done() const;
  Sabotage order(Way way) const;

 private:
  int fd_ = -1;
  void* memory_ = nullptr;
};

/// Which of so many tasks die, and how: `kills` of them, chosen by the seed, the ways in turn.
std::vector<Way> plan(std::uint64_t tasks, std::uint64_t kills, std::uint64_t seed);

/// In the worker: counts itself in the ledger, then dies as told. Returns only for Way::none, or when the
/// death did not come (memory without a limit throws std::bad_alloc).
void commit(const Sabotage& sabotage);

}  // namespace transit
