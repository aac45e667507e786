#pragma once

#include "support/test_pool.hpp"

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace hotspare::testing {

/// What each task of a storm did, counted by the tasks themselves in memory that they share with the test.
class RunTable {
 public:
  static constexpr std::size_t most_tasks = 4096;
  RunTable();
  ~RunTable();
  RunTable(const RunTable&) = delete;
  RunTable& operator=(const RunTable&) = delete;

  /// For tasks: where to find it, from any process of this test.
  const std::string& path() const { return path_; }
  int runs(std::size_t task) const { return counts_[task].load(); }
  /// Called by a task as it begins.
  static void note_run(const std::string& path, std::size_t task);

 private:
  int fd_ = -1;
  std::string path_;
  std::atomic<int>* counts_ = nullptr;
};

/// What a storm's task is to do. Each kind takes another way through the protocol.
enum class Kind : std::uint8_t { small, box, segment, buffer, raises, big_argument, count, faults };

/// The value that task `id` must give, if it gives one: a checksum that holds its id.
std::uint64_t expected_value(std::uint64_t id);

/// Submits so many tasks of all kinds, waits for all, and holds what came back against the model: every task settled
/// once, with its own value, the exception it threw, or a death; none ran twice; a value means that it ran.
struct StormResult {
  int values = 0, raised = 0, died = 0;
  int faulted = 0;     ///< Of the dead, those that died of SIGSEGV; the others died of SIGKILL.
  int killed_too = 0;  ///< Of those, the ones that SIGKILL met on their way out.
};
/// faults: every fourth task raises SIGSEGV, so that its worker dies by way of the crash handler.
StormResult run_storm(Pool& pool, const RunTable& table, std::uint64_t seed, int tasks, bool faults = false);

}  // namespace hotspare::testing
