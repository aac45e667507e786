#include "support/gate.hpp"
#include "support/test_pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <unistd.h>
#include <vector>

/// Pool::resize: more workers, fewer workers, and nothing lost on the way.
namespace hotspare::testing {
namespace {

using ::testing::HasSubstr;

int square(int x) { return x * x; }

PoolOptions pool_of(unsigned workers) {
  PoolOptions options = small_pool();
  options.workers = workers;
  options.spares = 0;
  return options;
}

std::vector<Future<int>> squares(Pool& pool, int count) {
  std::vector<Future<int>> futures;
  for (int x = 0; x < count; ++x) futures.push_back(pool.submit(square, x));
  return futures;
}

void expect_squares(const std::vector<Future<int>>& futures) {
  for (std::size_t x = 0; x < futures.size(); ++x) EXPECT_EQ(futures[x].get(), static_cast<int>(x * x));
}

/// A watchdog ends a test in which that never comes to be.
void run_until_workers_are(Pool& pool, std::size_t count) {
  while (pool.worker_pids().size() != count) pool.submit(square, 1).get();
}

TEST(ApiResize, MoreWorkersRunMoreAtOnce) {
  Gate began;
  Gate end;
  Pool pool(pool_of(1));
  std::vector<Future<int>> futures;
  for (int i = 0; i < 4; ++i) {
    futures.push_back(pool.submit(knock_and_pass, began.path(), end.path()));
  }
  began.await(1);
  pool.resize(4);
  began.await(3);  // none stays behind the first
  end.open(4);
  for (auto& future : futures) future.get();
}

TEST(ApiResize, FewerWorkersLoseNothing) {
  Pool pool(pool_of(4));
  run_until_workers_are(pool, 4);
  const auto futures = squares(pool, 300);
  pool.resize(1);
  expect_squares(futures);
  run_until_workers_are(pool, 1);
  EXPECT_EQ(pool.stats().deaths, 0U);
}

TEST(ApiResize, WorkersThatStartWhileThePoolShrinksGoToo) {
  Gate start;
  Gate ready;
  ::setenv("HOTSPARE_TEST_GATE", start.path().c_str(), 1);  // reaches initializers whatever the start method is
  PoolOptions options = pool_of(4);
  // NOLINTNEXTLINE(clang-analyzer-cplusplus.StringChecker): it is set above
  options.initializer = [] { Gate::pass(std::getenv("HOTSPARE_TEST_GATE")); };
  options.on_event = [&](const Event& event) {
    if (event.kind == Event::Kind::worker_ready) ready.open();
  };
  Pool pool(std::move(options));
  start.open(1);
  ready.await(1);
  pool.resize(1);
  start.open(3);
  ready.await(3);
  run_until_workers_are(pool, 1);
  EXPECT_EQ(pool.stats().spares, 0U);
}

TEST(ApiResize, AWorkerThatLeavesIsServedToTheEnd) {
  Gate began;
  Gate end;
  Pool pool(pool_of(2));
  run_until_workers_are(pool, 2);
  std::vector<Future<std::vector<char>>> big;  // results that need segments from the host
  for (int i = 0; i < 2; ++i) {
    big.push_back(pool.submit(
        [](const std::string& knock, const std::string& wait) {
          knock_and_pass(knock, wait);
          return std::vector<char>(std::size_t{4} << 20, 'x');
        },
        began.path(), end.path()));
  }
  began.await(2);
  const auto behind = squares(pool, 20);
  pool.resize(1);
  end.open(2);
  for (const auto& future : big) EXPECT_EQ(future.get().size(), std::size_t{4} << 20);
  expect_squares(behind);
  run_until_workers_are(pool, 1);
}

TEST(ApiResize, WhileWorkersDie) {
  Pool pool(pool_of(2));
  for (const unsigned workers : {1U, 4U, 2U, 3U, 1U, 2U}) {
    std::vector<Future<int>> futures;
    for (int x = 0; x < 20; ++x) {
      futures.push_back(pool.submit(
          [](int n) {
            if (n % 5 == 2) ::raise(SIGKILL);
            return n;
          },
          x));
    }
    pool.resize(workers);
    int deaths = 0;
    for (const auto& future : futures) deaths += future.outcome().report() != nullptr ? 1 : 0;
    EXPECT_EQ(deaths, 4);
  }
}

TEST(ApiResize, BadNumbersAndClosedPoolsAreRefused) {
  Pool pool(pool_of(1));
  for (const unsigned bad : {0U, 5000U}) {
    try {
      pool.resize(bad);
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("between 1 and 4096"));
    }
  }
  pool.shutdown();
  EXPECT_THROW(pool.resize(2), PoolClosed);
}

}  // namespace
}  // namespace hotspare::testing
