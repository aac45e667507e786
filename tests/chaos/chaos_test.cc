#include "chaos/storm_model.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <unistd.h>

/// Kills at the labelled points of the protocol (src/worker/crash_point.hpp), drawn with a seed.
namespace hotspare::testing {
namespace {

/// Sets the saboteur up for the processes that are started from now on.
class Saboteur {
 public:
  Saboteur(const std::string& point, int one_in, std::uint64_t seed) {
    const char* folder = std::getenv("TMPDIR");
    log_ = std::string(folder != nullptr ? folder : "/tmp") + "/crash_log_" + std::to_string(::getpid());
    std::ofstream(log_).flush();
    ::setenv("HOTSPARE_CRASH_AT", (point + ":" + std::to_string(one_in) + ":" + std::to_string(seed)).c_str(), 1);
    ::setenv("HOTSPARE_CRASH_LOG", log_.c_str(), 1);
  }
  ~Saboteur() {
    ::unsetenv("HOTSPARE_CRASH_AT");
    ::unsetenv("HOTSPARE_CRASH_LOG");
    ::unlink(log_.c_str());
  }
  /// How many it killed, by its own count.
  std::uint64_t kills() const {
    std::ifstream file(log_);
    std::uint64_t lines = 0;
    for (std::string line; std::getline(file, line);) ++lines;
    return lines;
  }

 private:
  std::string log_;
};

void storm(const std::string& point, int one_in, std::uint64_t seed, int tasks) {
  const Saboteur saboteur(point, one_in, seed);
  const RunTable table;
  PoolOptions options = small_pool();
  options.breaker_deaths = 1'000'000;  // many workers die before they are ready: that is the storm
  Pool pool(options);
  const StormResult result = run_storm(pool, table, seed, tasks);
  // A worker that is still starting is killed when the pool closes; if it is just killing itself, nobody can tell who did
  // it. So the pool closes when it has all its workers.
  for (Stats now = pool.stats(); now.workers < options.workers || now.spares < options.spares; now = pool.stats())
    std::this_thread::yield();
  pool.shutdown();
  const Stats stats = pool.stats();
  EXPECT_EQ(stats.submitted, static_cast<std::uint64_t>(tasks));
  EXPECT_EQ(stats.values, static_cast<std::uint64_t>(result.values));
  EXPECT_EQ(stats.raised, static_cast<std::uint64_t>(result.raised));
  EXPECT_EQ(stats.died, static_cast<std::uint64_t>(result.died));
  EXPECT_EQ(stats.deaths, saboteur.kills());
}

class SeededStorm : public ::testing::TestWithParam<int> {};

TEST_P(SeededStorm, NothingIsLostOrSettledTwice) { storm("any", 60, static_cast<std::uint64_t>(GetParam()), 400); }

INSTANTIATE_TEST_SUITE_P(Chaos, SeededStorm, ::testing::Range(1, 4));
INSTANTIATE_TEST_SUITE_P(Long, SeededStorm, ::testing::Range(4, 31));

struct Point {
  const char* name;
  int one_in;
};

class CrashPointStorm : public ::testing::TestWithParam<Point> {};

TEST_P(CrashPointStorm, NothingIsLostOrSettledTwice) { storm(GetParam().name, GetParam().one_in, 1, 200); }

class LongCrashPointStorm : public ::testing::TestWithParam<Point> {};

TEST_P(LongCrashPointStorm, NothingIsLostOrSettledTwice) {
  for (std::uint64_t seed = 2; seed <= 6; ++seed) storm(GetParam().name, GetParam().one_in, seed, 200);
}

// Points that each worker passes once are hit often, so that some hits happen at all.
const auto points = ::testing::Values(
    Point{"before_setup", 2}, Point{"before_life_lock", 2}, Point{"before_ready", 2}, Point{"after_ready", 2},
    Point{"after_begin", 10}, Point{"after_task", 10}, Point{"in_result", 10}, Point{"before_commit", 10},
    Point{"after_commit", 10}, Point{"between_tasks", 10}, Point{"before_sleep", 3}, Point{"after_lease_request", 3},
    Point{"with_lease", 3}, Point{"before_leave", 2});
const auto name_of = [](const auto& point) { return std::string(point.param.name); };

INSTANTIATE_TEST_SUITE_P(Chaos, CrashPointStorm, points, name_of);
INSTANTIATE_TEST_SUITE_P(Long, LongCrashPointStorm, points, name_of);

/// A second death while the first is being noted: the fault came first and is told, and so is how the kernel saw it end.
TEST(Chaos, AKillInTheCrashHandlerIsToldBesideTheFault) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const Saboteur saboteur("in_crash_handler", 2, seed);
    const RunTable table;
    Pool pool(small_pool());
    constexpr int tasks = 200;
    const StormResult result = run_storm(pool, table, seed, tasks, true);
    pool.shutdown();
    const Stats stats = pool.stats();
    EXPECT_EQ(result.died, tasks / 4);
    EXPECT_EQ(stats.deaths, static_cast<std::uint64_t>(result.died));
    EXPECT_EQ(result.faulted, result.died);
    EXPECT_EQ(saboteur.kills(), static_cast<std::uint64_t>(result.killed_too));
    EXPECT_GT(saboteur.kills(), 0u);
  }
}

}  // namespace
}  // namespace hotspare::testing
