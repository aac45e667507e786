#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace hotspare::testing {

/// What this process owns that could be left behind.
struct Belongings {
  std::set<long> children;                 ///< Process ids, zombies too.
  std::map<int, std::string> descriptors;  ///< Number and what it is open on.
  std::set<std::string> shared_memory;     ///< Entries of /dev/shm that carry our name.
  static Belongings now();
};

/// Fails the run of a test binary that leaves something behind: a child (zombie or alive), a descriptor, an entry of
/// /dev/shm, a temporary file. Notes what is there before the tests and looks again after them. Tests get a TMPDIR of
/// their own, so that files of other processes are not taken for ours. A binary takes it on by listing
/// support/watch_leftovers.cc among its sources.
class Leftovers : public ::testing::Environment {
 public:
  /// What becomes of processes whose parent a test has killed.
  enum class Orphans : unsigned char {
    ignore,  ///< They go to init and are not seen here.
    adopt    ///< They come to us: each must end by itself before the watchdog's patience does. Zombies among them
             ///< are reaped in silence, as init would, so a child of our own that nobody reaped is not seen.
  };
  explicit Leftovers(Orphans orphans = Orphans::ignore) : orphans_(orphans) {}
  void SetUp() override;
  void TearDown() override;

 private:
  void check_children(const Belongings& after);

  Orphans orphans_;
  Belongings before_;
  std::string folder_;
  std::string outer_tmpdir_;
  bool had_tmpdir_ = false;
};

}  // namespace hotspare::testing
