#include "support/ledger.hpp"
#include "support/one_death.hpp"

#include <algorithm>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
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
    std::this_thread::sleep_for(std::chrono::hours(1));  // style: hangs on purpose
    return 0;
  };
  for (int i = 1; i <= 4; ++i) {
    EXPECT_THROW(pool.submit(options, hangs, ledger.path()).get(), TaskTimeout);
    EXPECT_EQ(ledger.runs(0), i);
  }
}

class P8QuarantineInAMap : public ::testing::TestWithParam<bool> {
 protected:
  template <class F, class Range>
  std::vector<std::pair<int, std::shared_ptr<const CrashReport>>> outcomes(Pool& pool, F f, Range& items,
                                                                           const MapOptions& options) {
    std::vector<std::pair<int, std::shared_ptr<const CrashReport>>> all;
    const auto read = [&](auto view) {
      for (auto at = view.begin(); at != view.end(); ++at) {
        try {
          all.emplace_back(*at, nullptr);
        } catch (const Quarantined& death) {
          all.emplace_back(-1, std::make_shared<CrashReport>(death.report()));
        } catch (const std::runtime_error&) {
          all.emplace_back(-2, nullptr);
        }
      }
    };
    if (GetParam()) {
      read(pool.map(f, items, options));
    } else {
      read(pool.map_unordered(f, items, options));
    }
    return all;
  }
};

struct Noted {
  std::string ledger;
  int item;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(ledger, item);
  }
};

/// An item that always kills, in a chunk of 1000.
TEST_P(P8QuarantineInAMap, TheGuiltyItemIsRunOnceMoreAloneAndItsNeighboursOnce) {
  constexpr int tasks = 1000;
  constexpr int guilty = 417;
  Ledger ledger(tasks);
  Pool pool(small_pool());
  const auto kills = [](const Noted& noted) {
    Ledger::note(noted.ledger, static_cast<std::size_t>(noted.item));
    if (noted.item == guilty) ::raise(SIGSEGV);
    return noted.item;
  };
  std::vector<Noted> items;
  for (int i = 0; i < tasks; ++i) items.push_back({ledger.path(), i});
  MapOptions options{.chunk = tasks};
  options.task.retries.attempts = 5;
  const auto all = outcomes(pool, kills, items, options);
  ASSERT_EQ(all.size(), static_cast<std::size_t>(tasks));
  std::size_t values = 0;
  for (const auto& [value, report] : all) {
    if (report == nullptr) {
      ++values;
      continue;
    }
    EXPECT_TRUE(report->quarantined);
    EXPECT_EQ(report->attempt, 2);
    ASSERT_EQ(report->earlier.size(), 1U);
    EXPECT_EQ(report->earlier[0]->signal, SIGSEGV);
    EXPECT_NE(report->earlier[0]->pid, report->pid);
  }
  EXPECT_EQ(values, 999U);
  if (GetParam()) {
    for (int i = 0; i < tasks; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)].first, i == guilty ? -1 : i);
  }
  for (int i = 0; i < tasks; ++i) EXPECT_EQ(ledger.runs(static_cast<std::size_t>(i)), i == guilty ? 2 : 1) << i;
  EXPECT_EQ(pool.stats().deaths, 2U);
}

TEST_P(P8QuarantineInAMap, ElementsThatFailAreRunAgainByThemselves) {
  constexpr int tasks = 300;
  Ledger ledger(tasks);
  PoolOptions pool_options = small_pool();
  pool_options.quarantine_deaths = 0;
  Pool pool(pool_options);
  const auto fails_first = [](const Noted& noted) {
    const int run = Ledger::note(noted.ledger, static_cast<std::size_t>(noted.item));
    if (noted.item % 20 == 3 && run < 3) throw std::runtime_error("not yet");
    if (noted.item % 20 == 7 && run < 2) ::raise(SIGKILL);
    if (noted.item % 20 == 9) throw std::runtime_error("never");
    return noted.item;
  };
  std::vector<Noted> items;
  for (int i = 0; i < tasks; ++i) items.push_back({ledger.path(), i});
  MapOptions options{.chunk = 30};
  options.task.retries.attempts = 3;
  options.task.retries.on_exception = true;
  options.task.retries.base = std::chrono::nanoseconds(1000);
  auto all = outcomes(pool, fails_first, items, options);
  ASSERT_EQ(all.size(), static_cast<std::size_t>(tasks));
  std::vector<int> values;
  for (const auto& each : all) values.push_back(each.first);
  EXPECT_EQ(std::count(values.begin(), values.end(), -2), 15);
  EXPECT_EQ(std::count(values.begin(), values.end(), -1), 0);
  for (int i = 0; i < tasks; ++i) {
    const int runs = i % 20 == 3 || i % 20 == 9 ? 3 : i % 20 == 7 ? 2 : 1;
    EXPECT_EQ(ledger.runs(static_cast<std::size_t>(i)), runs) << i;
    if (GetParam()) {
      EXPECT_EQ(values[static_cast<std::size_t>(i)], i % 20 == 9 ? -2 : i);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, P8QuarantineInAMap, ::testing::Bool(),
                         [](const auto& row) { return std::string(row.param ? "Ordered" : "Unordered"); });

}  // namespace
}  // namespace hotspare::testing
