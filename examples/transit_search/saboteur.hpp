#pragma once

#include <hotspare/chaos.hpp>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

/// Kills the workers of chosen tasks, each in its own way, and keeps count of what it did by itself, so
/// that the pool's verdicts can be held against it. What hotspare::chaos can do it leaves to that.
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
  hang,            ///< Sleeps until the task's timeout ends it.
  stop,            ///< The worker is stopped (SIGSTOP): the same. This and the ones below only by --chaos.
  raise,           ///< An exception.
  leak,            ///< Memory that the worker never gives back. Nobody dies.
};
inline constexpr std::size_t ways = static_cast<std::size_t>(Way::leak) + 1;
inline constexpr std::size_t ways_of_plan = static_cast<std::size_t>(Way::hang);  ///< That many, after none.
std::string_view name(Way way);

using Counts = std::array<std::uint64_t, ways>;

/// What one task is to do to itself. Plain bytes: it travels as a task's argument.
struct Sabotage {
  Way way = Way::none;
  std::int32_t host = 0;       ///< Process that keeps the count,
  std::int32_t ledger = -1;    ///< and its descriptor of it.
  std::uint32_t attempts = 1;  ///< Only the first so many attempts of the task; 0: all.
  std::uint64_t bytes = 0;     ///< That a leak takes.

  template <class Archive>
  void serialize(Archive& archive) {
    archive(way, host, ledger, attempts, bytes);
  }
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
  Sabotage order(Way way, std::uint32_t attempts = 1, std::uint64_t bytes = 0) const;

 private:
  int fd_ = -1;
  void* memory_ = nullptr;
};

/// Which of so many tasks die, and how: `kills` of them, chosen by the seed, the ways in turn.
std::vector<Way> plan(std::uint64_t tasks, std::uint64_t kills, std::uint64_t seed);

/// The same, as chaos chooses: the key of a task is its number.
std::vector<Way> plan(std::uint64_t tasks, const hotspare::chaos::Chaos& chaos);

/// In the worker: counts itself in the ledger, then does what it was told. Returns for Way::none, Way::leak, later attempts,
/// and when the death did not come. Throws hotspare::chaos::Struck for Way::raise, hotspare::Error where chaos refuses
/// (in a process that is no worker, or where there is no limit that would end it).
void commit(const Sabotage& sabotage);

}  // namespace transit
