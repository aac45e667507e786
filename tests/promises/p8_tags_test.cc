#include "support/gate.hpp"
#include "support/ledger.hpp"
#include "support/one_death.hpp"

#include <algorithm>
#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

/// P8. Limits that hold for all tasks with a tag, whatever else the pool runs; and priorities.
namespace hotspare::testing {
namespace {

using Kind = Outcome<int>::Kind;
using std::chrono::milliseconds;
using Times = std::vector<std::int64_t>;

std::int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

/// When it began and ended, by its own clock.
std::pair<std::int64_t, std::int64_t> runs_for(int ms) {
  const std::int64_t begin = now_ns();
  std::this_thread::sleep_for(milliseconds(ms));  // style: its work takes so long
  return {begin, now_ns()};
}

TaskOptions tagged(std::vector<std::string> tags) {
  TaskOptions options;
  options.tags = std::move(tags);
  return options;
}

PoolOptions pool_with(std::string tag, TagLimits limits, unsigned workers = 6) {
  PoolOptions options = small_pool();
  options.workers = workers;
  options.tags.emplace(std::move(tag), limits);
  return options;
}

int most_at_once(const std::vector<std::pair<std::int64_t, std::int64_t>>& runs) {
  std::vector<std::pair<std::int64_t, int>> steps;
  for (const auto& [begin, end] : runs) {
    steps.emplace_back(begin, 1);
    steps.emplace_back(end, -1);
  }
  std::sort(steps.begin(), steps.end());
  int now = 0;
  int most = 0;
  for (const auto& [at, step] : steps) most = std::max(most, now += step);
  return most;
}

TEST(P8Tags, NeverMoreAtOnceThanAllowed) {
  Pool pool(pool_with("service", {.at_once = 4}, 8));
  std::vector<Future<std::pair<std::int64_t, std::int64_t>>> futures;
  std::vector<Future<int>> others;
  for (int i = 0; i < 100; ++i) {
    futures.push_back(pool.submit(tagged({"service"}), runs_for, 2));
    others.push_back(pool.submit([](int x) { return x; }, i));
  }
  std::vector<std::pair<std::int64_t, std::int64_t>> runs;
  for (const auto& future : futures) runs.push_back(future.get());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(others[static_cast<std::size_t>(i)].get(), i);
  EXPECT_LE(most_at_once(runs), 4);
  EXPECT_GT(most_at_once(runs), 1);
}

TEST(P8Tags, HoldUpNoOthers) {
  Gate gate;
  Pool pool(pool_with("service", {.at_once = 1}, 2));
  const auto waits = [](const std::string& path) {
    Gate::pass(path);
    return 1;
  };
  auto first = pool.submit(tagged({"service"}), waits, gate.path());
  std::vector<Future<int>> behind;
  for (int i = 0; i < 50; ++i) behind.push_back(pool.submit(tagged({"service"}), waits, gate.path()));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(pool.submit([](int x) { return x; }, i).get(), i);
  EXPECT_GE(pool.stats().queued, 49U);
  gate.open(51);
  EXPECT_EQ(first.get(), 1);
  for (const auto& future : behind) EXPECT_EQ(future.get(), 1);
  EXPECT_EQ(pool.stats().queued, 0U);
}

TEST(P8Tags, NeverMoreInASecondThanAllowed) {
  Pool pool(pool_with("service", {.at_once = 4, .per_second = 25}));
  std::vector<Future<std::pair<std::int64_t, std::int64_t>>> futures;
  for (int i = 0; i < 80; ++i) futures.push_back(pool.submit(tagged({"service"}), runs_for, 1));
  std::vector<std::pair<std::int64_t, std::int64_t>> runs;
  for (const auto& future : futures) runs.push_back(future.get());
  EXPECT_LE(most_at_once(runs), 4);
  std::sort(runs.begin(), runs.end());
  // A task reads its clock some time after the worker noted its begin; the other way round is never so.
  constexpr std::int64_t delay = 20'000'000;
  for (std::size_t i = 25; i < runs.size(); ++i) EXPECT_GE(runs[i].first + delay - runs[i - 25].first, 1'000'000'000);
}

TEST(P8Tags, SeveralHoldTogether) {
  PoolOptions options = pool_with("a", {.at_once = 3});
  options.tags["b"] = {.at_once = 2};
  Pool pool(options);
  using Run = std::pair<std::int64_t, std::int64_t>;
  std::vector<Future<Run>> only_a;
  std::vector<Future<Run>> both;
  for (int i = 0; i < 40; ++i) {
    only_a.push_back(pool.submit(tagged({"a"}), runs_for, 1));
    both.push_back(pool.submit(tagged({"a", "b"}), runs_for, 1));
  }
  std::vector<Run> a;
  std::vector<Run> b;
  for (const auto& future : only_a) a.push_back(future.get());
  for (const auto& future : both) {
    a.push_back(future.get());
    b.push_back(future.get());
  }
  EXPECT_LE(most_at_once(a), 3);
  EXPECT_LE(most_at_once(b), 2);
}

TEST(P8Tags, AnUnknownTagIsRefused) {
  Pool pool(pool_with("service", {}));
  try {
    pool.submit(tagged({"servise"}), [] {});
    ADD_FAILURE() << "it was taken";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("\"servise\""));
  }
  pool.submit(tagged({"service"}), [] {}).get();
}

/// Whatever ends a task, its place is free again.
TEST(P8Tags, PlacesAreGivenBack) {
  PoolOptions options = pool_with("service", {.at_once = 1}, 2);
  options.quarantine_deaths = 0;
  Pool pool(options);
  Gate began;
  TaskOptions timed = tagged({"service"});
  timed.timeout = milliseconds(50);
  TaskOptions again = tagged({"service"});
  again.retries.attempts = 2;
  again.retries.base = std::chrono::nanoseconds(0);
  const auto hangs = [](const std::string& path) {
    Gate::knock(path);
    std::this_thread::sleep_for(std::chrono::hours(1));  // style: hangs on purpose
    return 1;
  };
  for (int round = 0; round < 5; ++round) {
    EXPECT_THROW(pool.submit(tagged({"service"}), []() -> int { throw std::runtime_error("no"); }).get(),
                 std::runtime_error);
    EXPECT_THROW(pool.submit(tagged({"service"}), []() -> int { return ::raise(SIGKILL); }).get(), WorkerDied);
    EXPECT_THROW(pool.submit(timed, hangs, began.path()).get(), TaskTimeout);
    began.await();
    auto killed = pool.submit(tagged({"service"}), hangs, began.path());
    began.await();
    EXPECT_TRUE(killed.cancel(Cancel::kill));
    EXPECT_THROW(pool.submit(again, []() -> int { return ::raise(SIGKILL); }).get(), WorkerDied);
    auto running = pool.submit(tagged({"service"}), hangs, began.path());
    began.await();
    auto parked = pool.submit(tagged({"service"}), [] { return 2; });
    EXPECT_TRUE(parked.cancel());
    EXPECT_TRUE(running.cancel(Cancel::kill));
    EXPECT_EQ(pool.submit(tagged({"service"}), [] { return 3; }).get(), 3);
  }
}

TEST(P8Tags, TheBreakerPausesAndTriesAgain) {
  Ledger ledger(2);
  Pool pool(pool_with("service", {.breaker_failures = 3, .breaker_pause = milliseconds(200)}, 2));
  const auto down = [](const std::string& path) -> std::int64_t {
    const std::int64_t at = now_ns();
    Ledger::note(path, 0);
    throw std::runtime_error(std::to_string(at));
  };
  const auto up = [](const std::string& path) {
    Ledger::note(path, 1);
    return now_ns();
  };
  std::int64_t last_failure = 0;
  for (int i = 0; i < 3; ++i) {
    try {
      pool.submit(tagged({"service"}), down, ledger.path()).get();
    } catch (const std::runtime_error& error) {
      last_failure = std::stoll(error.what());
    }
  }
  std::vector<Future<std::int64_t>> futures;
  for (int i = 0; i < 20; ++i) futures.push_back(pool.submit(tagged({"service"}), up, ledger.path()));
  EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
  Times begins;
  for (const auto& future : futures) begins.push_back(future.get());
  std::sort(begins.begin(), begins.end());
  EXPECT_GE(begins.front() - last_failure, 200'000'000);
  EXPECT_EQ(ledger.runs(1), 20);
}

TEST(P8Tags, ShutdownWithCancelDropsThoseThatWait) {
  Gate began;
  Pool pool(pool_with("service", {.at_once = 1}, 2));
  Gate gate;
  const auto waits = [](const std::string& knock, const std::string& path) {
    Gate::knock(knock);
    Gate::pass(path);
    return 1;
  };
  auto first = pool.submit(tagged({"service"}), waits, began.path(), gate.path());
  std::vector<Future<int>> behind;
  for (int i = 0; i < 10; ++i) behind.push_back(pool.submit(tagged({"service"}), waits, began.path(), gate.path()));
  began.await();
  pool.shutdown(false, true);
  for (const auto& future : behind) EXPECT_EQ(future.outcome().kind(), Kind::cancelled);
  gate.open();
  EXPECT_EQ(first.get(), 1);
}

TEST(P8Priorities, UrgentTasksBeginFirstAndNobodyStarves) {
  PoolOptions one = small_pool();
  one.workers = 1;
  Pool pool(one);
  Gate gate;
  Gate began;
  auto first = pool.submit(
      [](const std::string& knock, const std::string& path) {
        Gate::knock(knock);
        Gate::pass(path);
      },
      began.path(), gate.path());
  began.await();
  TaskOptions urgent;
  urgent.priority = 10;
  TaskOptions idle;
  idle.priority = -10;
  std::vector<Future<std::int64_t>> low;
  std::vector<Future<std::int64_t>> high;
  for (int i = 0; i < 10; ++i) low.push_back(pool.submit(idle, now_ns));
  for (int i = 0; i < 200; ++i) high.push_back(pool.submit(urgent, now_ns));
  gate.open();
  Times lows;
  Times highs;
  for (const auto& future : low) lows.push_back(future.get());
  for (const auto& future : high) highs.push_back(future.get());
  // But for those that the worker had been given before, low ones come one in eight.
  const auto before_last_low = std::count_if(highs.begin(), highs.end(), [&](auto at) { return at < lows.back(); });
  EXPECT_GE(before_last_low, 7 * 5);
  EXPECT_LT(lows.back(), highs.back());
}

}  // namespace
}  // namespace hotspare::testing
