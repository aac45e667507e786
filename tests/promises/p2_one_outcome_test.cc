#include "support/gate.hpp"
#include "support/ledger.hpp"
#include "support/signals.hpp"
#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

/// P2. Every task settles exactly once, and is never run again after it has begun.
namespace hotspare::testing {
namespace {

using Kind = Outcome<int>::Kind;

int note_and_maybe_die(const std::string& ledger, int id, int every) {
  Ledger::note(ledger, static_cast<std::size_t>(id));
  if (every != 0 && id % every == 0) ::raise(SIGKILL);
  return id;
}

void expect_all_counted(const Stats& stats) {
  EXPECT_EQ(stats.values + stats.raised + stats.died + stats.cancelled + stats.refused, stats.submitted);
  EXPECT_EQ(stats.queued, 0u);
  EXPECT_EQ(stats.in_workers, 0u);
}

TEST(P2OneOutcome, EachTaskRunsOnceAndCallsBackOnceWhileWorkersDie) {
  constexpr int tasks = 1500;
  Ledger ledger(tasks);
  std::vector<std::atomic<int>> called(tasks);
  Pool pool(small_pool());
  std::vector<Future<int>> futures;
  for (int id = 0; id < tasks; ++id) {
    futures.push_back(pool.submit(note_and_maybe_die, ledger.path(), id, 40));
    futures.back().on_done([&, id](const Future<int>& future) {
      EXPECT_TRUE(future.ready());
      called[static_cast<std::size_t>(id)].fetch_add(1);
    });
  }
  for (int id = 0; id < tasks; ++id) {
    const auto outcome = futures[static_cast<std::size_t>(id)].outcome();
    EXPECT_EQ(outcome.kind(), id % 40 == 0 ? Kind::died : Kind::value) << id;
    if (outcome.ok()) {
      EXPECT_EQ(outcome.value(), id);
    }
    EXPECT_EQ(ledger.runs(static_cast<std::size_t>(id)), 1) << id;
  }
  pool.shutdown();  // all callbacks have run when it returns
  for (int id = 0; id < tasks; ++id) EXPECT_EQ(called[static_cast<std::size_t>(id)].load(), 1) << id;
  expect_all_counted(pool.stats());
}

/// Workers killed from outside at any moment: tasks that they had not begun are run by others, and only those.
TEST(P2OneOutcome, PrefetchedTasksOfTheDeadAreRunOnce) {
  constexpr int tasks = 1000;
  Ledger ledger(tasks);
  Pool pool(small_pool());
  std::vector<Future<int>> futures;
  for (int id = 0; id < tasks; ++id) {
    futures.push_back(pool.submit(note_and_maybe_die, ledger.path(), id, 0));
    if (id % 50 == 49) {
      const auto pids = pool.worker_pids();
      if (!pids.empty()) ::kill(static_cast<pid_t>(pids.front()), SIGKILL);
    }
  }
  for (int id = 0; id < tasks; ++id) {
    const auto outcome = futures[static_cast<std::size_t>(id)].outcome();
    const int runs = ledger.runs(static_cast<std::size_t>(id));
    // A task that died may have been killed before its first line.
    if (outcome.ok()) {
      EXPECT_EQ(runs, 1) << id;
    }
    if (!outcome.ok()) {
      EXPECT_LE(runs, 1) << id;
    }
  }
  pool.shutdown();
  expect_all_counted(pool.stats());
}

TEST(P2OneOutcome, CancelAgreesWithTheOutcomeWhileTasksFinish) {
  constexpr int tasks = 600;
  Ledger ledger(tasks);
  Pool pool(small_pool());
  std::vector<Future<int>> futures;
  for (int id = 0; id < tasks; ++id) futures.push_back(pool.submit(note_and_maybe_die, ledger.path(), id, 0));
  std::vector<std::atomic<bool>> told(tasks);
  std::vector<std::thread> cancellers;
  for (int part = 0; part < 3; ++part) {
    cancellers.emplace_back([&, part] {
      // From the back, from the front and with a kill now and then, all over the same tasks.
      for (int i = 0; i < tasks; ++i) {
        const auto id = static_cast<std::size_t>(part == 1 ? i : tasks - 1 - i);
        if (id % 3 == 0) continue;
        const bool kill = part == 2 && id % 25 == 1;
        if (futures[id].cancel(kill ? Cancel::kill : Cancel::queued)) told[id] = true;
      }
    });
  }
  for (auto& thread : cancellers) thread.join();
  for (std::size_t id = 0; id < tasks; ++id) {
    const auto outcome = futures[id].outcome();
    EXPECT_EQ(outcome.kind(), told[id] ? Kind::cancelled : Kind::value) << id;
    EXPECT_EQ(futures[id].cancel(), told[id].load()) << id;
    if (outcome.ok()) {
      EXPECT_EQ(ledger.runs(id), 1) << id;
    }
    if (id % 25 != 1 && told[id]) {
      EXPECT_EQ(ledger.runs(id), 0) << id;
    }
  }
  pool.shutdown();
  expect_all_counted(pool.stats());
}

TEST(P2OneOutcome, CancelInEachPlaceATaskCanBe) {
  Gate begun;
  Gate go;
  PoolOptions options = small_pool();
  options.workers = 1;
  Pool pool(options);
  auto running = pool.submit(knock_and_pass, begun.path(), go.path());
  begun.await();
  std::vector<Future<int>> behind;  // one or more prefetched, the rest queued
  for (int i = 0; i < 10; ++i) behind.push_back(pool.submit([](int x) { return x; }, i));
  EXPECT_FALSE(running.cancel());
  EXPECT_TRUE(behind[0].cancel());
  EXPECT_TRUE(behind[9].cancel());
  EXPECT_TRUE(behind[0].cancel());  // it has ended so
  EXPECT_THROW(behind[0].get(), Cancelled);
  EXPECT_TRUE(running.cancel(Cancel::kill));
  EXPECT_THROW(running.get(), Cancelled);
  for (int i = 1; i < 9; ++i) EXPECT_EQ(behind[static_cast<std::size_t>(i)].get(), i);
  EXPECT_FALSE(behind[1].cancel(Cancel::kill));
  pool.shutdown();
  EXPECT_EQ(pool.stats().cancelled, 3u);
  EXPECT_EQ(pool.stats().died, 0u);
  expect_all_counted(pool.stats());
}

/// Nobody waits in the pool here, so that only the pool's own threads can notice that there is room again.
TEST(P2OneOutcome, CancelledTasksMakeRoomThoughNobodyWaits) {
  PoolOptions options = small_pool();
  options.workers = 1;
  Pool pool(options);
  pool.submit([] {}).get();
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 6; ++i) pool.submit([] {}).cancel();
    Signals done;
    pool.submit([] {}).on_done([&](const Future<void>&) { done.give(); });
    done.take();
  }
}

/// A worker that is asleep, all its slots cancelled and used again: it must find the new tasks in them.
TEST(P2OneOutcome, ASlotUsedAgainBeforeItsWorkerLookedIsFound) {
  PoolOptions options = small_pool();
  options.workers = 1;
  Pool pool(options);
  for (int round = 0; round < 5; ++round) {
    std::vector<Future<int>> quick;  // short tasks: many are handed over early
    for (int i = 0; i < 3000; ++i) quick.push_back(pool.submit([](int x) { return x; }, i));
    for (auto& future : quick) future.get();
    const auto worker = static_cast<pid_t>(pool.worker_pids().front());
    ::kill(worker, SIGSTOP);
    for (int lap = 0; lap < 3; ++lap) {
      std::vector<Future<int>> dropped;
      for (int i = 0; i < 256; ++i) dropped.push_back(pool.submit([](int x) { return x; }, i));
      int cancelled = 0;
      for (auto& future : dropped) cancelled += future.cancel() ? 1 : 0;
      EXPECT_GE(cancelled, 255);  // one may have begun before it stopped
    }
    std::vector<Future<int>> kept;
    for (int i = 0; i < 200; ++i) kept.push_back(pool.submit([](int x) { return x; }, i));
    ::kill(worker, SIGCONT);
    for (int i = 0; i < 200; ++i) EXPECT_EQ(kept[static_cast<std::size_t>(i)].get(), i);
  }
}

TEST(P2OneOutcome, DestructionFinishesWhatWasSubmitted) {
  constexpr int tasks = 300;
  Ledger ledger(tasks);
  std::vector<Future<int>> futures;
  {
    Pool pool(small_pool());
    for (int id = 0; id < tasks; ++id) futures.push_back(pool.submit(note_and_maybe_die, ledger.path(), id, 0));
  }
  for (int id = 0; id < tasks; ++id) {
    EXPECT_TRUE(futures[static_cast<std::size_t>(id)].ready());
    EXPECT_EQ(futures[static_cast<std::size_t>(id)].get(), id);
  }
}

/// More deaths than there are spares: a pool that closes still needs new workers for what it has promised.
TEST(P2OneOutcome, DestructionFinishesThoughWorkersDie) {
  constexpr int tasks = 60;
  Ledger ledger(tasks);
  std::vector<Future<int>> futures;
  {
    Pool pool(small_pool());
    for (int id = 0; id < tasks; ++id) futures.push_back(pool.submit(note_and_maybe_die, ledger.path(), id, 2));
  }
  for (int id = 0; id < tasks; ++id) {
    const auto outcome = futures[static_cast<std::size_t>(id)].outcome();
    EXPECT_EQ(outcome.kind(), id % 2 == 0 ? Kind::died : Kind::value) << id;
    EXPECT_EQ(ledger.runs(static_cast<std::size_t>(id)), 1);
  }
}

TEST(P2OneOutcome, DestructionFinishesThoughWorkersAreReplaced) {
  std::vector<Future<int>> futures;
  {
    PoolOptions options = small_pool();
    options.tasks_per_worker = 1;
    Pool pool(options);
    for (int i = 0; i < 20; ++i) futures.push_back(pool.submit([](int x) { return x; }, i));
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(), i);
}

TEST(P2OneOutcome, DestructionFinishesThoughTheZygoteDies) {
  std::vector<Future<int>> futures;
  Ledger ledger(20);
  {
    Pool pool(small_pool());
    pool.submit([] {}).get();
    for (int id = 0; id < 20; ++id) futures.push_back(pool.submit(note_and_maybe_die, ledger.path(), id, 2));
    ::kill(static_cast<pid_t>(pool.zygote_pid()), SIGKILL);
  }
  for (int id = 0; id < 20; ++id)
    EXPECT_EQ(futures[static_cast<std::size_t>(id)].outcome().kind(), id % 2 == 0 ? Kind::died : Kind::value) << id;
}

TEST(P2OneOutcome, ShutdownWithoutWaitingGoesOnInTheBackground) {
  Gate go;
  Gate begun;
  Pool pool(small_pool());
  auto running = pool.submit(knock_and_pass, begun.path(), go.path());
  std::vector<Future<int>> futures;
  for (int i = 0; i < 20; ++i) futures.push_back(pool.submit([](int x) { return x; }, i));
  begun.await();
  pool.shutdown(false);
  EXPECT_THROW(pool.submit([] {}), PoolClosed);
  EXPECT_FALSE(running.ready());
  go.open();
  EXPECT_EQ(running.get(), 1);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(), i);
  pool.shutdown();
  pool.shutdown();
  EXPECT_THROW(pool.submit([] {}), PoolClosed);
  expect_all_counted(pool.stats());
  EXPECT_TRUE(pool.worker_pids().empty());
}

TEST(P2OneOutcome, ShutdownWithCancelDropsWhatHasNotBegun) {
  constexpr int tasks = 100;
  Ledger ledger(tasks);
  Gate go;
  Gate begun;
  Pool pool(small_pool());
  auto running = pool.submit(knock_and_pass, begun.path(), go.path());
  auto also_running = pool.submit(knock_and_pass, begun.path(), go.path());
  begun.await(2);
  std::vector<Future<int>> futures;
  for (int id = 0; id < tasks; ++id) futures.push_back(pool.submit(note_and_maybe_die, ledger.path(), id, 0));
  pool.shutdown(false, true);
  go.open(2);
  pool.shutdown();
  EXPECT_EQ(running.get(), 1);
  EXPECT_EQ(also_running.get(), 1);
  for (std::size_t id = 0; id < tasks; ++id) {
    EXPECT_THROW(futures[id].get(), Cancelled) << id;
    EXPECT_EQ(ledger.runs(id), 0) << id;
  }
  expect_all_counted(pool.stats());
}

TEST(P2OneOutcome, AFutureOutlivesItsPool) {
  Future<std::string> value;
  Future<int> died;
  Future<int> raised;
  {
    Pool pool(small_pool());
    value = pool.submit([] { return std::string(100'000, 'x'); });
    died = pool.submit([]() -> int {
      ::raise(SIGKILL);
      return 0;
    });
    raised = pool.submit([]() -> int { throw std::out_of_range("far"); });
  }
  EXPECT_EQ(value.get(), std::string(100'000, 'x'));
  EXPECT_EQ(value.get().size(), 100'000u);
  EXPECT_EQ(death_of(died).signal, SIGKILL);
  EXPECT_THROW(raised.get(), std::out_of_range);
  EXPECT_FALSE(value.cancel());
  bool called = false;
  value.on_done([&](const Future<std::string>& future) { called = future.ready(); });
  EXPECT_TRUE(called);  // it had settled: at once
}

TEST(P2OneOutcome, ManyWaitWhileThePoolIsDestroyed) {
  auto pool = std::make_unique<Pool>(small_pool());
  Gate go;
  std::vector<Future<int>> futures;
  for (int i = 0; i < 8; ++i) {
    futures.push_back(pool->submit(
        [](const std::string& gate) {
          Gate::pass(gate);
          return 7;
        },
        go.path()));
  }
  std::vector<std::thread> waiters;
  for (int i = 0; i < 8; ++i)
    waiters.emplace_back([&, i] { EXPECT_EQ(futures[static_cast<std::size_t>(i)].get(), 7); });
  std::thread closer([&] { pool.reset(); });
  go.open(8);
  closer.join();
  for (auto& thread : waiters) thread.join();
}

TEST(P2OneOutcome, ShutdownFromManyThreads) {
  Pool pool(small_pool());
  auto future = pool.submit([] { return 3; });
  std::vector<std::thread> closers;
  for (int i = 0; i < 4; ++i) {
    closers.emplace_back([&] {
      pool.shutdown();
      EXPECT_TRUE(future.ready());
      EXPECT_TRUE(pool.worker_pids().empty());
    });
  }
  for (auto& thread : closers) thread.join();
  EXPECT_EQ(future.get(), 3);
}

/// The callback of one pool closes another one while the first is being closed.
TEST(P2OneOutcome, PoolsCloseIndependently) {
  PoolOptions options = small_pool();
  options.start = Start::exec;  // the second is made when the first has threads
  Gate go;
  auto inner = std::make_unique<Pool>(options);
  Pool outer(options);
  auto first = outer.submit(
      [](const std::string& gate) {
        Gate::pass(gate);
        return 1;
      },
      go.path());
  first.on_done([&](const Future<int>&) { inner.reset(); });
  std::thread opener([&] { go.open(); });
  outer.shutdown();
  opener.join();
  EXPECT_EQ(inner, nullptr);
}

TEST(P2OneOutcome, AForkOfTheHostHasNoPool) {
  Pool pool(small_pool());
  auto before = pool.submit([] { return 1; });
  before.wait();
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 1;
    try {
      pool.submit([] { return 2; });
    } catch (const Error& error) {
      code = std::string(error.what()).find("fork") != std::string::npos ? 0 : 2;
    }
    // Through destructors of static objects and exit handlers, like any program.
    { Pool gone(std::move(pool)); }
#ifdef __SANITIZE_ADDRESS__
    ::_exit(code);  // to the leak check what the parent's other threads held is lost
#else
    std::exit(code);
#endif
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  for (int i = 0; i < 50; ++i) EXPECT_EQ(pool.submit([](int x) { return x; }, i).get(), i);
  EXPECT_EQ(pool.stats().deaths, 0u);
}

/// What a task scribbles over its own channel costs its own worker only; tasks behind it run, or are told why not.
TEST(P2OneOutcome, ADamagedChannelIsTheWorkersEndNotTheHosts) {
  Pool pool(small_pool());
  const auto scribble = [](std::uint64_t magic) {
    // The argument lies in the slot, 80 bytes behind the slot's word.
    std::FILE* maps = std::fopen("/proc/self/maps", "r");
    char line[512];
    while (std::fgets(line, sizeof line, maps) != nullptr) {
      unsigned long low = 0;
      unsigned long high = 0;
      if (std::strstr(line, "hotspare-channel") == nullptr) continue;
      if (std::sscanf(line, "%lx-%lx", &low, &high) != 2) continue;
      for (unsigned long at = low + 80; at + 8 <= high; at += 16) {
        std::uint64_t there = 0;
        std::memcpy(&there, reinterpret_cast<const void*>(at), sizeof there);
        if (there == magic) std::memset(reinterpret_cast<void*>(at - 80), 0xEE, 8);
      }
    }
    std::fclose(maps);
    ::raise(SIGKILL);
    return 0;
  };
  for (int round = 0; round < 5; ++round) {
    auto hostile = pool.submit(scribble, std::uint64_t{0x5EA51DE5CA1AB1E5});
    std::vector<Future<int>> others;
    for (int i = 0; i < 20; ++i) others.push_back(pool.submit([](int x) { return x; }, i));
    EXPECT_EQ(hostile.outcome().kind(), Kind::died);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(others[static_cast<std::size_t>(i)].get(), i);
  }
  pool.shutdown();
  expect_all_counted(pool.stats());
}

/// What is cancelled before it begins costs its worker none of the tasks that it may run.
TEST(P2OneOutcome, WhatIsTakenBackIsNotCounted) {
  constexpr int each = 3;
  constexpr int workers = 3;
  PoolOptions options = small_pool();
  options.workers = 1;
  options.tasks_per_worker = each;
  Pool pool(options);
  std::map<int, int> runs;  // by worker
  const auto pid_after = [](const std::string& knock_at, const std::string& pass_at) {
    knock_and_pass(knock_at, pass_at);
    return static_cast<int>(::getpid());
  };
  Gate knock;
  Gate pass;
  for (int i = 0; i < each * workers; ++i) {
    auto running = pool.submit(pid_after, knock.path(), pass.path());
    knock.await();
    auto behind = pool.submit([] {});  // the worker has it, but for the last that it may run
    EXPECT_TRUE(behind.cancel());
    pass.open();
    ++runs[running.get()];
  }
  EXPECT_EQ(runs.size(), static_cast<std::size_t>(workers));
  for (const auto& [worker, count] : runs) EXPECT_EQ(count, each) << worker;
  EXPECT_EQ(pool.stats().recalled, static_cast<unsigned>((each - 1) * workers));
  pool.shutdown();
  expect_all_counted(pool.stats());
}

/// With nobody waiting, several workers finish and are replaced in the same moment.
TEST(P2OneOutcome, ReplacedWorkersLoseNoResultThoughNobodyWaits) {
  PoolOptions options = small_pool();
  options.workers = 4;
  options.spares = 2;
  options.tasks_per_worker = 1;
  Pool pool(options);
  for (int round = 0; round < 10; ++round) {
    constexpr int tasks = 16;
    Signals done;
    for (int i = 0; i < tasks; ++i) pool.submit([] {}).on_done([&](const Future<void>&) { done.give(); });
    done.take(tasks);
  }
  EXPECT_EQ(pool.stats().deaths, 0u);
}

/// "No limit" said as the largest time there is, or as one that has passed already.
TEST(P2OneOutcome, ExtremeTimesMeanWhatTheySay) {
  Gate begun;
  Gate go;
  PoolOptions options = small_pool();
  options.workers = 1;
  Pool pool(options);
  TaskOptions endless;
  endless.timeout = std::chrono::nanoseconds::max();
  auto patient = pool.submit(endless, knock_and_pass, begun.path(), go.path());
  begun.await();
  TaskOptions late;
  late.timeout = std::chrono::nanoseconds(-1);
  auto overdue = pool.submit(
      late, [](const std::string& gate) { Gate::pass(gate); }, go.path());
  EXPECT_FALSE(patient.wait_for(std::chrono::nanoseconds::min()));
  go.open();
  EXPECT_TRUE(patient.wait_for(std::chrono::nanoseconds::max()));
  EXPECT_EQ(patient.get(), 1);
  EXPECT_EQ(death_of(overdue).cause, Cause::deadline);
  auto next = pool.submit([] { return 5; });
  EXPECT_TRUE(next.wait_for(std::chrono::hours::max()));
  EXPECT_EQ(next.get(), 5);
}

}  // namespace
}  // namespace hotspare::testing
