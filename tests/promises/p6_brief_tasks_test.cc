#include "support/gate.hpp"
#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>
#include <vector>

/// P6, where brief tasks go to as many workers as there are cores: what is not as brief as those before it has the other
/// workers nevertheless.
namespace hotspare::testing {
namespace {

int same(int x) { return x; }

/// Knocks, and waits: so many of them are over only if so many run at a time.
void meet(const std::string& knocks, const std::string& gate) {
  Gate::knock(knocks);
  Gate::pass(gate);
}

class P6BriefTasks : public ::testing::Test {
 protected:
  static PoolOptions many_workers() {
    PoolOptions options = small_pool();
    options.workers = workers;
    return options;
  }
  /// Until each worker's tasks are known to be brief.
  void run_brief_ones() {
    for (int round = 0; round < 10; ++round) {
      std::vector<Future<int>> futures;
      for (int i = 0; i < 1000; ++i) futures.push_back(pool_.submit(same, i));
      for (int i = 0; i < 1000; ++i) ASSERT_EQ(futures[static_cast<std::size_t>(i)].get(), i);
    }
  }
  static constexpr int workers = 12;
  Pool pool_{many_workers()};
};

TEST_F(P6BriefTasks, AsManyLongOnesRunAsThereAreWorkers) {
  for (int round = 0; round < 3; ++round) {
    run_brief_ones();
    Gate knocks;
    Gate go;
    std::vector<Future<void>> met;
    for (int i = 0; i < workers; ++i) met.push_back(pool_.submit(meet, knocks.path(), go.path()));
    knocks.await(workers);
    go.open(workers);
    for (auto& each : met) each.get();
  }
}

/// As before, but they come while the workers have more brief ones than they can take.
TEST_F(P6BriefTasks, LongOnesAmongBriefOnesRunAllAtOnce) {
  run_brief_ones();
  Gate knocks;
  Gate go;
  std::vector<Future<int>> brief;
  std::vector<Future<void>> met;
  for (int i = 0; i < 20'000; ++i) {
    brief.push_back(pool_.submit(same, i));
    if (i % 1000 == 0 && met.size() < workers) met.push_back(pool_.submit(meet, knocks.path(), go.path()));
  }
  knocks.await(workers);
  go.open(workers);
  for (int i = 0; i < 20'000; ++i) ASSERT_EQ(brief[static_cast<std::size_t>(i)].get(), i);
  for (auto& each : met) each.get();
}

/// All but one worker are held for good. What is behind those is run nevertheless.
TEST_F(P6BriefTasks, BriefOnesPassTheLongOnesInFrontOfThem) {
  for (int round = 0; round < 3; ++round) {
    run_brief_ones();
    Gate knocks;
    Gate go;
    std::vector<Future<void>> met;
    std::vector<Future<int>> brief;
    for (int i = 0; i < workers - 1; ++i) {
      met.push_back(pool_.submit(meet, knocks.path(), go.path()));
      for (int n = 0; n < 50; ++n) brief.push_back(pool_.submit(same, n));
    }
    for (std::size_t n = 0; n < brief.size(); ++n) ASSERT_EQ(brief[n].get(), static_cast<int>(n % 50));
    knocks.await(workers - 1);
    go.open(workers - 1);
    for (auto& each : met) each.get();
  }
}

/// The same while another thread waits for a long task, and so looks after all results: it is called, though none comes.
TEST_F(P6BriefTasks, AThreadThatWaitsBesideHearsThatSomeStandStill) {
  for (int round = 0; round < 10; ++round) {
    Gate knocks;
    Gate go;
    Gate last;
    auto long_one = pool_.submit(Gate::pass, last.path());
    std::thread waits([&] { long_one.get(); });
    run_brief_ones();
    std::vector<Future<void>> met;
    for (int i = 0; i < 3; ++i) met.push_back(pool_.submit(meet, knocks.path(), go.path()));
    std::vector<Future<int>> brief;
    for (int n = 0; n < 20; ++n) brief.push_back(pool_.submit(same, n));
    for (int n = 0; n < 20; ++n) ASSERT_EQ(brief[static_cast<std::size_t>(n)].get(), n);
    knocks.await(3);
    go.open(3);
    last.open();
    for (auto& each : met) each.get();
    waits.join();
  }
}

/// A worker that dies takes with it what it ran, and nothing of what waited behind that.
TEST_F(P6BriefTasks, ADeathAmongManyBriefOnesCostsOne) {
  run_brief_ones();
  std::vector<Future<int>> brief;
  std::vector<Future<void>> dead;
  for (int i = 0; i < 5'000; ++i) {
    brief.push_back(pool_.submit(same, i));
    if (i % 1000 == 500) dead.push_back(pool_.submit([] { ::raise(SIGKILL); }));
  }
  for (int i = 0; i < 5'000; ++i) ASSERT_EQ(brief[static_cast<std::size_t>(i)].get(), i);
  for (auto& each : dead) EXPECT_THROW(each.get(), WorkerDied);
}

}  // namespace
}  // namespace hotspare::testing
