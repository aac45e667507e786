#include "support/ledger.hpp"
#include "support/one_death.hpp"

#include <csignal>
#include <string>
#include <thread>
#include <vector>

/// P8. What keeps killing workers is quarantined: it ends at once, with all its reports, and risks no more of them.
namespace hotspare::testing {
namespace {

using Kind = Outcome<int>::Kind;

int kills_its_worker(const std::string& ledger) {
  Ledger::note(ledger, 0);
  ::raise(SIGKILL);
  return 0;
}
int lives(int x) { return x; }

TaskOptions about(std::string key) {
  TaskOptions options;
  options.key = std::move(key);
  return options;
}

TEST(P8Quarantine, AKeyThatHasKilledTwoWorkersEndsAtOnce) {
  Ledger ledger(1);
  Pool pool(small_pool());
  const TaskOptions bad = about("bad.jpg");
  const auto first = pool.submit(bad, kills_its_worker, ledger.path()).outcome();
  EXPECT_FALSE(first.report()->quarantined);
  EXPECT_TRUE(first.report()->earlier.empty());
  const auto second = pool.submit(bad, kills_its_worker, ledger.path()).outcome();
  EXPECT_TRUE(second.report()->quarantined);
  EXPECT_THROW(std::rethrow_exception(second.error()), Quarantined);
  ASSERT_EQ(second.report()->earlier.size(), 1U);
  EXPECT_EQ(second.report()->earlier[0]->pid, first.report()->pid);
  for (int i = 0; i < 3; ++i) {
    const auto later = pool.submit(bad, kills_its_worker, ledger.path()).outcome();
    EXPECT_EQ(later.kind(), Kind::died);
    EXPECT_THROW(std::rethrow_exception(later.error()), Quarantined);
    EXPECT_EQ(later.report()->pid, second.report()->pid);
    EXPECT_EQ(later.report()->earlier.size(), 1U);
    EXPECT_THAT(later.report()->text(), ::testing::HasSubstr("quarantine"));
  }
  EXPECT_EQ(ledger.runs(0), 2);
  EXPECT_EQ(pool.submit(about("good.jpg"), lives, 5).get(), 5);
  const Stats stats = pool.stats();
  EXPECT_EQ(stats.deaths, 2U);
  EXPECT_EQ(stats.quarantined, 4U);
  EXPECT_EQ(stats.died, 5U);
  EXPECT_EQ(stats.submitted, stats.died + stats.values);
}

/// They are in the queue already when the verdict falls.
TEST(P8Quarantine, TasksThatWaitEndAsWell) {
  Ledger ledger(1);
  PoolOptions one = small_pool();
  one.workers = 1;
  Pool pool(one);
  std::vector<Future<int>> bad;
  std::vector<Future<int>> good;
  for (int i = 0; i < 1000; ++i) {
    bad.push_back(pool.submit(about("bad.jpg"), kills_its_worker, ledger.path()));
    good.push_back(pool.submit(lives, i));
  }
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(bad[static_cast<std::size_t>(i)].outcome().kind(), Kind::died);
    EXPECT_EQ(good[static_cast<std::size_t>(i)].get(), i);
  }
  // Those that the worker had been given by then may still run: with the verdict none begins any more.
  EXPECT_EQ(ledger.runs(0), 2);
  EXPECT_EQ(pool.stats().deaths, 2U);
}

TEST(P8Quarantine, EndsTheRetriesOfATask) {
  Ledger ledger(1);
  Pool pool(small_pool());
  TaskOptions options;
  options.retries.attempts = 10;
  options.retries.base = std::chrono::nanoseconds(0);
  const auto outcome = pool.submit(options, kills_its_worker, ledger.path()).outcome();
  EXPECT_TRUE(outcome.report()->quarantined);
  EXPECT_EQ(outcome.report()->attempt, 2);
  EXPECT_EQ(outcome.report()->earlier.size(), 1U);
  EXPECT_EQ(ledger.runs(0), 2);
}

TEST(P8Quarantine, CanBeTurnedOff) {
  Ledger ledger(1);
  PoolOptions options = small_pool();
  options.quarantine_deaths = 0;
  Pool pool(options);
  for (int i = 1; i <= 5; ++i) {
    const auto outcome = pool.submit(about("bad.jpg"), kills_its_worker, ledger.path()).outcome();
    EXPECT_FALSE(outcome.report()->quarantined);
    EXPECT_EQ(ledger.runs(0), i);
  }
}

TEST(P8Quarantine, DeadlinesAndCancelsDoNotCount) {
  Ledger ledger(1);
  Pool pool(small_pool());
  TaskOptions options = about("slow.jpg");
  options.timeout = std::chrono::milliseconds(50);
  const auto hangs = [](const std::string& path) {
    Ledger::note(path, 0);
    std::this_thread::sleep_for(std::chrono::hours(1));
    return 0;
  };
  for (int i = 1; i <= 4; ++i) {
    EXPECT_THROW(pool.submit(options, hangs, ledger.path()).get(), TaskTimeout);
    EXPECT_EQ(ledger.runs(0), i);
  }
}

}  // namespace
}  // namespace hotspare::testing
