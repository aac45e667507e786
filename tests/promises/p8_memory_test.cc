#include "support/gate.hpp"
#include "support/ledger.hpp"
#include "support/one_death.hpp"
#include "support/sanitizer.hpp"

#include <fstream>
#include <string>
#include <vector>

/// P8. Under memory pressure the pool runs fewer at once, at last one alone, and climbs back; and no task pays for another.
namespace hotspare::testing {
namespace {

constexpr std::size_t mb = 1 << 20;

/// Takes so much, bit by bit, and holds it until it has all.
std::size_t takes(const std::string& ledger, std::size_t task, std::size_t bytes) {
  Ledger::note(ledger, task);
  std::vector<std::vector<char>> all;
  std::size_t sum = 0;
  while (sum < bytes) {
    all.emplace_back(mb, 'x');
    sum += all.back().size();
  }
  return sum;
}

class P8Memory : public ::testing::Test {
 protected:
  void SetUp() override {
    if (sanitized()) GTEST_SKIP() << "a sanitizer's shadow memory counts, too";
  }
};

TEST_F(P8Memory, ThreeTasksOfSixTenthsOfTheBudgetAllFinish) {
  Ledger ledger(3);
  PoolOptions options = small_pool();
  options.workers = 4;
  options.memory_budget = 600 * mb;
  Pool pool(options);
  std::vector<Future<std::size_t>> futures;
  for (std::size_t task = 0; task < 3; ++task) futures.push_back(pool.submit(takes, ledger.path(), task, 360 * mb));
  for (const auto& future : futures) EXPECT_EQ(future.get(), 360 * mb);
  const Stats stats = pool.stats();
  EXPECT_EQ(stats.values, 3U);
  EXPECT_EQ(stats.died, 0U);
  EXPECT_EQ(stats.deaths, stats.put_back);
  EXPECT_LE(stats.put_back, 2U);  // alone none is ended
  // And back up: what needs little runs side by side again.
  Gate gate;
  Gate began;
  const auto meets = [](const std::string& knock, const std::string& pass) {
    Gate::knock(knock);
    Gate::pass(pass);
    return 1;
  };
  std::vector<Future<int>> small;
  for (int i = 0; i < 4; ++i) small.push_back(pool.submit(meets, began.path(), gate.path()));
  began.await(4);
  gate.open(4);
  for (const auto& future : small) EXPECT_EQ(future.get(), 1);
}

TEST_F(P8Memory, WhoNeedsMoreThanAllFails) {
  Ledger ledger(1);
  PoolOptions options = small_pool();
  options.memory_budget = 300 * mb;
  Pool pool(options);
  const auto outcome = pool.submit(takes, ledger.path(), std::size_t{0}, std::size_t{4096} * mb).outcome();
  ASSERT_NE(outcome.report(), nullptr);
  EXPECT_EQ(outcome.report()->cause, Cause::memory_limit);
  EXPECT_THAT(outcome.report()->evidence, ::testing::HasSubstr("together"));
  EXPECT_EQ(outcome.report()->attempt, 1);
  EXPECT_EQ(ledger.runs(0), 2);  // once more, alone
  EXPECT_EQ(pool.submit([] { return 5; }).get(), 5);
}

/// What others do not notice.
TEST_F(P8Memory, NeighboursAreNotTouched) {
  Ledger ledger(100);
  PoolOptions options = small_pool();
  options.memory_budget = 400 * mb;
  Pool pool(options);
  TaskOptions limited;
  limited.memory_limit = 100 * mb;
  auto greedy = pool.submit(takes, ledger.path(), std::size_t{0}, std::size_t{4096} * mb);
  auto bounded = pool.submit(limited, takes, ledger.path(), std::size_t{1}, std::size_t{4096} * mb);
  std::vector<Future<std::size_t>> others;
  for (std::size_t task = 2; task < 100; ++task) others.push_back(pool.submit(takes, ledger.path(), task, 2 * mb));
  for (std::size_t task = 2; task < 100; ++task) EXPECT_EQ(others[task - 2].get(), 2 * mb);
  EXPECT_EQ(greedy.outcome().report()->cause, Cause::memory_limit);
  EXPECT_EQ(bounded.outcome().report()->cause, Cause::memory_limit);
  EXPECT_THAT(bounded.outcome().report()->evidence, ::testing::HasSubstr("limit of 100 MB"));
  EXPECT_EQ(ledger.runs(1), 1);
}

TEST_F(P8Memory, AWorkerThatHasGrownIsReplaced) {
  PoolOptions options = small_pool();
  options.workers = 1;
  options.recycle_above = 200 * mb;
  Pool pool(options);
  const auto leaks = [](std::size_t bytes) {
    static std::vector<std::vector<char>>& leaked = *new std::vector<std::vector<char>>;
    leaked.emplace_back(bytes, 'x');
    return ::getpid();
  };
  const auto first = pool.submit(leaks, 10 * mb).get();
  EXPECT_EQ(pool.submit(leaks, 10 * mb).get(), first);
  EXPECT_EQ(pool.submit(leaks, 250 * mb).get(), first);
  EXPECT_NE(pool.submit(leaks, 10 * mb).get(), first);
  pool.shutdown();
  EXPECT_EQ(pool.stats().deaths, 0U);
}

TEST(P8Oom, TheKernelTakesWorkersBeforeTheHost) {
  Pool pool(small_pool());
  const auto score = [] {
    int value = 0;
    std::ifstream("/proc/self/oom_score_adj") >> value;
    return value;
  };
  EXPECT_GE(pool.submit(score).get(), 500);
}

}  // namespace
}  // namespace hotspare::testing
