#include "support/gate.hpp"
#include "support/ledger.hpp"
#include "support/test_pool.hpp"

#include <hotspare/detail/interruptible.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <stdexcept>
#include <thread>
#include <unistd.h>

/// P7. A shutdown ends when its caller wants it to, whatever the tasks do: no test here asserts how long that took; one that
/// does not hold does not end.
namespace hotspare::testing {
namespace {

using Kind = Outcome<int>::Kind;
using std::chrono::hours;
using std::chrono::milliseconds;

int hang(const std::string& begun) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_IGN);
  Gate::knock(begun);
  for (;;) ::pause();
}

int same(int x) { return x; }

void expect_killed(const Future<int>& future) {
  ASSERT_EQ(future.outcome().kind(), Kind::died);
  const CrashReport report = death_of(future);
  EXPECT_EQ(report.cause, Cause::cancelled);
  EXPECT_THAT(report.evidence, ::testing::HasSubstr("shut down"));
}

TEST(P7ShutdownGrace, WhatRunsWhenItIsOverIsKilledAndSaysSo) {
  Gate begun;
  Pool pool(small_pool());
  const auto first = pool.submit(hang, begun.path());
  const auto second = pool.submit(hang, begun.path());
  begun.await(2);
  std::vector<Future<int>> behind;
  for (int i = 0; i < 20; ++i) behind.push_back(pool.submit(same, i));
  pool.shutdown(true, false, 0, milliseconds(20));
  expect_killed(first);
  expect_killed(second);
  for (const auto& future : behind) EXPECT_EQ(future.outcome().kind(), Kind::cancelled);
  const Stats stats = pool.stats();
  EXPECT_EQ(stats.died, 2u);
  EXPECT_EQ(stats.cancelled, 20u);
  EXPECT_EQ(stats.queued + stats.in_workers + stats.workers + stats.spares, 0u);
}

TEST(P7ShutdownGrace, WhatEndsBeforeKeepsItsResult) {
  Gate begun;
  Gate go;
  Pool pool(small_pool());
  const auto running = pool.submit(knock_and_pass, begun.path(), go.path());
  begun.await();
  const auto behind = pool.submit(same, 7);
  pool.shutdown(false, false, 0, hours(1));
  go.open();
  pool.shutdown();
  EXPECT_EQ(running.get(), 1);
  EXPECT_EQ(behind.get(), 7);
}

TEST(P7ShutdownGrace, OfSeveralTheEarliestCounts) {
  Gate begun;
  Pool pool(small_pool());
  const auto hung = pool.submit(hang, begun.path());
  begun.await();
  pool.shutdown(false, false, 0, hours(1));
  pool.shutdown(false, false, 0, milliseconds(1));
  pool.shutdown(false, false, 0, hours(2));
  expect_killed(hung);
  pool.shutdown();
}

TEST(P7ShutdownGrace, TimesThatNoClockReachesAreForever) {
  Gate begun;
  Gate go;
  Pool pool(small_pool());
  const auto running = pool.submit(knock_and_pass, begun.path(), go.path());
  begun.await();
  pool.shutdown(false, false, 0, std::chrono::nanoseconds::max());
  go.open();
  EXPECT_EQ(running.get(), 1);
}

TEST(P7ShutdownGrace, ANegativeOneIsOver) {
  Gate begun;
  Pool pool(small_pool());
  const auto hung = pool.submit(hang, begun.path());
  begun.await();
  pool.shutdown(true, false, 0, std::chrono::nanoseconds::min());
  expect_killed(hung);
}

TEST(P7ShutdownGrace, KillEndsAtOnceWhatRunsAndCancelsTheRest) {
  Gate begun;
  Pool pool(small_pool());
  const auto hung = pool.submit(hang, begun.path());
  begun.await();
  std::vector<Future<int>> rest;
  for (int i = 0; i < 50; ++i) rest.push_back(pool.submit(hang, begun.path()));
  pool.kill();
  expect_killed(hung);
  for (const auto& future : rest) EXPECT_THAT(future.outcome().kind(), ::testing::AnyOf(Kind::died, Kind::cancelled));
  EXPECT_THROW(pool.submit(same, 1), PoolClosed);
  pool.kill();
}

TEST(P7ShutdownGrace, KillEndsAShutdownThatWaits) {
  Gate begun;
  Pool pool(small_pool());
  const auto hung = pool.submit(hang, begun.path());
  begun.await();
  std::thread waiter([&] { pool.shutdown(); });
  pool.kill();
  waiter.join();
  expect_killed(hung);
}

TEST(P7ShutdownGrace, WhatIsKilledIsNotRetried) {
  Gate begun;
  Pool pool(small_pool());
  TaskOptions options;
  options.retries.attempts = 5;
  const auto hung = pool.submit(options, hang, begun.path());
  begun.await();
  pool.kill();
  expect_killed(hung);
  EXPECT_EQ(pool.stats().retried, 0u);
}

TEST(P7ShutdownGrace, AnInitializerThatNeverEndsIsKilledToo) {
  PoolOptions options = small_pool();
  options.initializer = [] {
    for (;;) ::pause();
  };
  Pool pool(options);
  const auto never = pool.submit(same, 1);
  ASSERT_FALSE(pool.started_pids(1).empty());
  pool.kill();
  EXPECT_EQ(never.outcome().kind(), Kind::cancelled);
}

TEST(P7ShutdownGrace, AStoppedWorkerIsKilledToo) {
  Gate begun;
  Pool pool(small_pool());
  const auto hung = pool.submit(hang, begun.path());
  begun.await();
  for (const auto pid : pool.worker_pids()) ::kill(static_cast<pid_t>(pid), SIGSTOP);
  pool.shutdown(true, true, 0, milliseconds(1));
  expect_killed(hung);
}

TEST(P7ShutdownGrace, KilledInTheMiddleOfManyTasksEachSettlesOnce) {
  constexpr int tasks = 400;
  Ledger ledger(tasks);
  std::vector<std::atomic<int>> called(tasks);
  PoolOptions options = small_pool();
  options.workers = 4;
  Pool pool(options);
  std::vector<Future<int>> futures;
  for (int id = 0; id < tasks; ++id) {
    futures.push_back(pool.submit(
        [](const std::string& path, int number) {
          Ledger::note(path, static_cast<std::size_t>(number));
          return number;
        },
        ledger.path(), id));
    futures.back().on_done([&, id](const Future<int>&) { called[static_cast<std::size_t>(id)].fetch_add(1); });
  }
  futures[tasks / 4].wait();
  pool.kill();
  for (std::size_t id = 0; id < tasks; ++id) {
    const Kind kind = futures[id].outcome().kind();
    EXPECT_EQ(called[id].load(), 1) << id;
    EXPECT_LE(ledger.runs(id), kind == Kind::cancelled ? 0 : 1) << id;
  }
}

// ---- waits that somebody else ends ----

struct Stop : std::runtime_error {
  Stop() : std::runtime_error("stop") {}
};
void stops() { throw Stop(); }
std::atomic<int> asked{0};
void goes_on() { ++asked; }

TEST(P7Interruptible, AWaitEndsWhenItIsInterruptedBeforeItBegan) {
  Gate begun;
  Pool pool(small_pool());
  const auto hung = pool.submit(hang, begun.path());
  begun.await();
  detail::Interruptible here(stops);
  here.interrupt();
  EXPECT_THROW(hung.wait(), Stop);
  EXPECT_FALSE(hung.ready());
  pool.kill();
}

TEST(P7Interruptible, WaitsEndWheneverTheyAreInterrupted) {
  Gate begun;
  Pool pool(small_pool());
  const auto hung = pool.submit(hang, begun.path());
  begun.await();
  for (int round = 0; round < 200; ++round) {
    detail::Interruptible here(stops);
    std::thread other([&] { here.interrupt(); });
    EXPECT_THROW(hung.wait(), Stop);
    other.join();
  }
  pool.kill();
}

TEST(P7Interruptible, AWaitGoesOnIfTheAnswerThrowsNothing) {
  Gate begun;
  Gate go;
  Pool pool(small_pool());
  const auto running = pool.submit(knock_and_pass, begun.path(), go.path());
  begun.await();
  const int before = asked;
  detail::Interruptible here(goes_on);
  here.interrupt();
  std::thread other([&] {
    while (asked == before) std::this_thread::yield();
    here.interrupt();
    go.open();
  });
  EXPECT_EQ(running.get(), 1);
  other.join();
  EXPECT_GE(asked, before + 1);
}

TEST(P7Interruptible, ASubmitThatWaitsForRoomEnds) {
  Gate begun;
  PoolOptions options = small_pool();
  options.queue_limit = 1;
  Pool pool(options);
  std::vector<Future<int>> taken;
  detail::Interruptible here(stops);
  std::thread other([&] {
    begun.await(2);
    here.interrupt();
  });
  EXPECT_THROW(
      {
        for (;;) taken.push_back(pool.submit(hang, begun.path()));
      },
      Stop);
  other.join();
  EXPECT_EQ(pool.stats().submitted, taken.size());
  pool.kill();
}

TEST(P7Interruptible, AWaitForWorkersEnds) {
  Pool pool(small_pool());
  detail::Interruptible here(stops);
  std::thread other([&] { here.interrupt(); });
  EXPECT_THROW(static_cast<void>(pool.started_pids(1000)), Stop);
  other.join();
}

}  // namespace
}  // namespace hotspare::testing
