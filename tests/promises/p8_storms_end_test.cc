#include "support/gate.hpp"
#include "support/ledger.hpp"
#include "support/signals.hpp"
#include "support/test_pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

/// P8. Workers that die before their first task break the pool instead of being forked for ever, and it says why.
namespace hotspare::testing {
namespace {

using ::testing::HasSubstr;

void throws() { throw std::runtime_error("no licence for the solver"); }
void throws_int() { throw 3; }
void segfaults() { ::raise(SIGSEGV); }
void exits() { std::_Exit(9); }

std::string why_broken(PoolOptions options) {
  Pool pool(std::move(options));
  std::vector<Future<int>> queued;
  try {
    for (int i = 0; i < 10; ++i) queued.push_back(pool.submit([] { return 1; }));
  } catch (const PoolBroken&) {
  }
  std::string why;
  for (auto& future : queued) {
    try {
      future.get();
      ADD_FAILURE() << "a task ran in a pool that cannot make a worker";
    } catch (const PoolBroken& broken) {
      why = broken.what();
    }
    EXPECT_EQ(future.outcome().kind(), Outcome<int>::Kind::refused);
  }
  try {
    for (;;) pool.submit([] { return 1; }).wait();  // until it has broken
  } catch (const PoolBroken& broken) {
    if (!queued.empty()) {
      EXPECT_EQ(why, broken.what());
    }
    why = broken.what();
  }
  pool.shutdown();
  const Stats stats = pool.stats();
  EXPECT_EQ(stats.refused, stats.submitted);
  return why;
}

TEST(P8StormsEnd, AnInitializerThatThrows) {
  PoolOptions options = small_pool();
  options.initializer = throws;
  options.name = "solvers";
  const std::string why = why_broken(options);
  EXPECT_THAT(why, HasSubstr("solvers"));
  EXPECT_THAT(why, HasSubstr("no licence for the solver"));
  EXPECT_THAT(why, HasSubstr("5 workers in a row"));
}

TEST(P8StormsEnd, AnInitializerThatThrowsNoStandardException) {
  PoolOptions options = small_pool();
  options.initializer = throws_int;
  EXPECT_THAT(why_broken(options), HasSubstr("no std::exception"));
}

TEST(P8StormsEnd, AnInitializerThatCrashes) {
  PoolOptions options = small_pool();
  options.initializer = segfaults;
  options.breaker_deaths = 2;
  const std::string why = why_broken(options);
  EXPECT_THAT(why, HasSubstr("SIGSEGV"));
  EXPECT_THAT(why, HasSubstr("2 workers in a row"));
}

TEST(P8StormsEnd, AnInitializerThatExits) {
  PoolOptions options = small_pool();
  options.initializer = exits;
  EXPECT_THAT(why_broken(options), HasSubstr("9"));
}

TEST(P8StormsEnd, OneDeathMayBeEnough) {
  PoolOptions options = small_pool();
  options.initializer = throws;
  options.breaker_deaths = 1;
  EXPECT_THAT(why_broken(options), HasSubstr("no licence"));
}

TEST(P8StormsEnd, APreloadThatThrows) {
  PoolOptions options = small_pool();
  options.preload = throws;
  const std::string why = why_broken(options);
  EXPECT_THAT(why, HasSubstr("preload"));
  EXPECT_THAT(why, HasSubstr("no licence for the solver"));
}

TEST(P8StormsEnd, APreloadThatCrashes) {
  PoolOptions options = small_pool();
  options.preload = segfaults;
  EXPECT_THAT(why_broken(options), HasSubstr("preload"));
}

TEST(P8StormsEnd, APreloadThatExits) {
  PoolOptions options = small_pool();
  options.preload = exits;
  EXPECT_THAT(why_broken(options), HasSubstr("zygote"));
}

/// The n-th worker of the test: told apart by a ledger whose path comes by the environment, which all processes inherit.
constexpr const char* ledger_variable = "HOTSPARE_TEST_LEDGER";
// NOLINTNEXTLINE(clang-analyzer-cplusplus.StringChecker): it is set
int nth_worker() { return Ledger::note(std::getenv(ledger_variable), 0); }
void fails_twice_in_three() {
  if (nth_worker() % 3 != 0) throw std::runtime_error("not this time");
}
void fails_from_the_fourth_on() {
  if (nth_worker() > 3) throw std::runtime_error("enough of you");
}

class LedgerByEnvironment {
 public:
  LedgerByEnvironment() : ledger_(1) { ::setenv(ledger_variable, ledger_.path().c_str(), 1); }
  ~LedgerByEnvironment() { ::unsetenv(ledger_variable); }
  int runs() const { return ledger_.runs(0); }

 private:
  Ledger ledger_;
};

TEST(P8StormsEnd, AnInitializerThatFailsSometimesBreaksNothing) {
  const LedgerByEnvironment ledger;
  PoolOptions options = small_pool();
  options.initializer = fails_twice_in_three;
  options.breaker_deaths = 8;  // several start at once, and a good one may be slower than the bad ones after it
  Pool pool(options);
  for (int i = 0; i < 15; ++i) EXPECT_THROW(pool.submit([] { ::raise(SIGKILL); }).get(), WorkerDied);
  EXPECT_EQ(pool.submit([] { return 4; }).get(), 4);
  const Stats stats = pool.stats();
  EXPECT_GT(stats.deaths_before_ready, 15u);
  EXPECT_EQ(stats.died, 15u);
  EXPECT_GE(stats.deaths, stats.deaths_before_ready + 15);
}

/// Broken while workers still run: what they have begun counts, and what they had only been handed is refused, not lost.
TEST(P8StormsEnd, WhatTheLastWorkersHeldIsNotLost) {
  const LedgerByEnvironment ledger;
  Gate begun;
  Gate finish;
  Signals broken;
  PoolOptions options = small_pool();
  options.initializer = fails_from_the_fourth_on;
  options.on_event = [&](const Event& event) {
    if (event.kind == Event::Kind::broken) broken.give();
  };
  Pool pool(options);
  std::vector<Future<int>> running;
  for (int i = 0; i < 2; ++i) {
    running.push_back(pool.submit(
        [](const std::string& knock, const std::string& pass, bool dies) {
          knock_and_pass(knock, pass);
          if (dies) ::raise(SIGKILL);
          return 1;
        },
        begun.path(), finish.path(), true));
  }
  begun.await(2);
  std::vector<Future<int>> behind;
  for (int i = 0; i < 10; ++i) behind.push_back(pool.submit([] { return 2; }));
  while (pool.stats().spares == 0) std::this_thread::yield();
  ::kill(static_cast<pid_t>(pool.worker_pids().back()), SIGKILL);  // its successors all fail
  broken.take();
  finish.open(2);
  for (auto& future : running) EXPECT_EQ(future.outcome().kind(), Outcome<int>::Kind::died);
  for (auto& future : behind) EXPECT_EQ(future.outcome().kind(), Outcome<int>::Kind::refused);
  EXPECT_THROW(pool.submit([] {}), PoolBroken);
}

/// Several storms end, each with the pool they belong to.
TEST(P8StormsEnd, ABrokenPoolLeavesOthersAlone) {
  PoolOptions good = small_pool();
  Pool working(good);
  PoolOptions bad = small_pool();
  bad.start = Start::exec;
  bad.initializer = throws;
  EXPECT_THAT(why_broken(bad), HasSubstr("no licence"));
  EXPECT_EQ(working.submit([] { return 1; }).get(), 1);
}

}  // namespace
}  // namespace hotspare::testing
