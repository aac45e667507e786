#include "support/gate.hpp"
#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <vector>

/// P1. A worker that somebody has stopped, or that does not answer for another reason, costs nobody: what it has not begun
/// is run by others, and time limits count for those.
namespace hotspare::testing {
namespace {

using namespace std::chrono_literals;

int same(int x) { return x; }

void stop(std::int64_t pid) { ASSERT_EQ(::kill(static_cast<pid_t>(pid), SIGSTOP), 0); }

std::vector<std::int64_t> ready_workers(Pool& pool, const PoolOptions& options) {
  pool.started_pids(options.workers + options.spares);
  std::vector<std::int64_t> pids;
  // Not all that were started are ready yet.
  while ((pids = pool.worker_pids()).size() < options.workers + options.spares) pool.submit(same, 0).wait();
  return pids;
}

void expect_values(Pool& pool, const TaskOptions& task, int tasks) {
  std::vector<Future<int>> futures;
  for (int i = 0; i < tasks; ++i) futures.push_back(pool.submit(task, same, i));
  for (int i = 0; i < tasks; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(), i);
}

/// Each of them, so that whichever is chosen first is among them.
TEST(P1StoppedWorker, WhatAnIdleOneWasGivenIsRunByOthers) {
  const PoolOptions options = small_pool();
  Pool pool(options);
  for (std::size_t which = 0; which < 3; ++which) {
    const std::vector<std::int64_t> pids = ready_workers(pool, options);
    stop(pids[which]);
    TaskOptions limited;
    limited.timeout = 5s;
    expect_values(pool, limited, 4);
    ::kill(static_cast<pid_t>(pids[which]), SIGCONT);
  }
  EXPECT_EQ(pool.stats().died, 0u);
  EXPECT_EQ(pool.stats().deaths, 0u);
}

TEST(P1StoppedWorker, TheOnlyOneIsReplaced) {
  PoolOptions options = small_pool();
  options.workers = 1;
  options.spares = 0;
  Pool pool(options);
  const std::int64_t stopped = ready_workers(pool, options).front();
  stop(stopped);
  expect_values(pool, {}, 3);
  const std::vector<std::int64_t> pids = pool.worker_pids();
  EXPECT_EQ(std::count(pids.begin(), pids.end(), stopped), 0);
  EXPECT_EQ(pool.stats().deaths, 0u);
}

TEST(P1StoppedWorker, SoAreAllOfThem) {
  const PoolOptions options = small_pool();
  Pool pool(options);
  for (const std::int64_t pid : ready_workers(pool, options)) stop(pid);
  expect_values(pool, {}, 8);
  EXPECT_EQ(pool.stats().deaths, 0u);
}

/// Stopped behind its back while others wait for it: those that it has not begun.
TEST(P1StoppedWorker, WhatIsBehindARunningOneIsRunByOthers) {
  const PoolOptions options = small_pool();
  Pool pool(options);
  ready_workers(pool, options);
  Gate knock;
  Gate pass;
  auto first = pool.submit(knock_and_pass, knock.path(), pass.path());
  auto second = pool.submit(knock_and_pass, knock.path(), pass.path());
  knock.await(2);
  std::vector<Future<int>> behind;
  for (int i = 0; i < 4; ++i) behind.push_back(pool.submit(same, i));
  const std::int64_t stopped = pool.worker_pids().front();
  stop(stopped);
  pass.open(2);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(behind[static_cast<std::size_t>(i)].get(), i);
  ::kill(static_cast<pid_t>(stopped), SIGCONT);
  EXPECT_EQ(first.get() + second.get(), 2);
}

}  // namespace
}  // namespace hotspare::testing
