#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>
#include <vector>

/// P1. Death of a worker costs at most the attempt it was running.
namespace hotspare::testing {
namespace {

int die_if(int i, int every) {
  if (i % every == 0) ::raise(SIGKILL);
  return i;
}

TEST(P1Isolation, OnlyTheGuiltyTasksDie) {
  Pool pool(small_pool());
  std::vector<Future<int>> futures;
  for (int i = 1; i <= 1000; ++i) futures.push_back(pool.submit(die_if, i, 50));
  for (int i = 1; i <= 1000; ++i) {
    if (i % 50 == 0) {
      EXPECT_THROW(futures[i - 1].get(), WorkerDied) << i;
    } else {
      EXPECT_EQ(futures[i - 1].get(), i);
    }
  }
  const Stats stats = pool.stats();
  EXPECT_EQ(stats.values, 980u);
  EXPECT_EQ(stats.died, 20u);
  EXPECT_EQ(stats.deaths, 20u);
}

TEST(P1Isolation, WorksWithoutSpares) {
  PoolOptions options = small_pool();
  options.workers = 1;
  options.spares = 0;
  Pool pool(options);
  std::vector<Future<int>> futures;
  for (int i = 1; i <= 60; ++i) futures.push_back(pool.submit(die_if, i, 3));
  int good = 0;
  for (auto& future : futures) good += future.outcome().ok() ? 1 : 0;
  EXPECT_EQ(good, 40);
}

TEST(P1Isolation, EveryTaskKillsItsWorker) {
  Pool pool(small_pool());
  std::vector<Future<int>> futures;
  for (int i = 1; i <= 100; ++i) futures.push_back(pool.submit(die_if, i, 1));
  for (auto& future : futures) EXPECT_THROW(future.get(), WorkerDied);
  EXPECT_EQ(pool.submit(die_if, 1, 2).get(), 1);
}

TEST(P1Isolation, NewWorkIsTakenWhileWorkersDie) {
  Pool pool(small_pool());
  for (int round = 0; round < 20; ++round) {
    auto dying = pool.submit(die_if, 0, 1);
    EXPECT_EQ(pool.submit(die_if, 1, 2).get(), 1);
    EXPECT_THROW(dying.get(), WorkerDied);
  }
}

TEST(P1Isolation, IdleWorkersMayDie) {
  Pool pool(small_pool());
  pool.submit([] {}).get();
  for (int round = 0; round < 10; ++round) {
    for (const std::int64_t pid : pool.worker_pids()) ::kill(static_cast<pid_t>(pid), SIGKILL);
    EXPECT_EQ(pool.submit([](int x) { return x + 1; }, round).get(), round + 1);
  }
  EXPECT_EQ(pool.stats().died, 0u);
}

TEST(P1Isolation, TheZygoteMayDie) {
  Pool pool(small_pool());
  for (int round = 0; round < 5; ++round) {
    auto running = pool.submit([] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // style: a task that takes a while
      return 1;
    });
    ::kill(static_cast<pid_t>(pool.zygote_pid()), SIGKILL);
    EXPECT_EQ(running.get(), 1);
    // Deaths after it: workers whose zygote is gone are replaced all the same.
    EXPECT_THROW(pool.submit(die_if, 0, 1).get(), WorkerDied);
    for (int i = 1; i < 4; ++i) EXPECT_EQ(pool.submit(die_if, i, 100).get(), i);
    while (pool.stats().zygote_deaths != static_cast<std::uint64_t>(round) + 1) pool.submit([] {}).get();
  }
}

}  // namespace
}  // namespace hotspare::testing
