#include "support/gate.hpp"
#include "support/no_processes.hpp"
#include "support/signals.hpp"
#include "support/test_pool.hpp"
#include "support/under_tsan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

/// P8, its last rung: where no process can be started, tasks run in the host, if its owner wants that; and nothing runs there
/// that is known to kill.
namespace hotspare::testing {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

/// A pool whose zygote is refused every process, and what it tells.
class P8RunInHost : public ::testing::Test {
 protected:
  static PoolOptions in_host() {
    PoolOptions options = small_pool();
    options.run_in_host = true;
    options.on_event = [](const Event&) {};
    return options;
  }
  /// Made where the kernel refuses to fork the workers.
  static PoolOptions refused() {
    PoolOptions options = in_host();
    options.preload = refuse_processes;
    options.host_initializer = [] {};  // not the preload: this process needs others yet
    return options;
  }
};

TEST_F(P8RunInHost, ResultsAndExceptionsAreAsEver) {
  Pool pool(refused());
  EXPECT_EQ(pool.submit([] { return ::getpid(); }).get(), ::getpid());
  EXPECT_EQ(pool.submit([](const std::string& text, int times) { return text + std::to_string(times); }, "x", 3).get(),
            "x3");
  const std::string large(3'000'000, 'l');
  EXPECT_EQ(pool.submit([](std::string text) { return text + "!"; }, large).get(), large + "!");
  pool.submit([] {}).get();
  EXPECT_THROW(pool.submit([]() -> int { throw std::out_of_range("far"); }).get(), std::out_of_range);
  struct Own {};
  try {
    pool.submit([]() -> int { throw Own(); }).get();
    ADD_FAILURE() << "it returned";
  } catch (const RemoteError& error) {  // as from a worker, so that nobody has to know where it ran
    EXPECT_THAT(error.type(), HasSubstr("Own"));
    EXPECT_FALSE(error.stack().empty());
  }
  EXPECT_TRUE(pool.broken().empty());
  pool.shutdown();
  const Stats stats = pool.stats();
  EXPECT_EQ(stats.submitted, 6U);
  EXPECT_EQ(stats.run_in_host, 6U);
  EXPECT_EQ(stats.values, 4U);
  EXPECT_EQ(stats.raised, 2U);
}

TEST_F(P8RunInHost, ItIsToldAloud) {
  Signals told;
  std::string text;
  PoolOptions options = refused();
  options.name = "solvers";
  options.on_event = [&](const Event& event) {
    if (event.kind != Event::Kind::host_run) return;
    text = event.detail;
    told.give();
  };
  Pool pool(options);
  told.take();
  EXPECT_THAT(text, HasSubstr("solvers"));
  EXPECT_THAT(text, HasSubstr("fork()"));
  EXPECT_THAT(text, HasSubstr("temporarily unavailable"));
  EXPECT_THAT(text, HasSubstr("a crash is the host's"));
}

TEST_F(P8RunInHost, OnlyWhoWantsThat) {
  PoolOptions options = refused();
  options.run_in_host = false;
  Pool pool(options);
  EXPECT_THROW(pool.submit([] { return 1; }).get(), PoolBroken);
}

void throws() { throw std::runtime_error("no licence"); }

TEST_F(P8RunInHost, NotWhenWorkersDieBeforeTheirFirstTask) {
  PoolOptions options = in_host();
  options.initializer = throws;
  Pool pool(options);
  EXPECT_THROW(
      {
        for (;;) pool.submit([] { return 1; }).get();
      },
      PoolBroken);
  EXPECT_THAT(pool.broken(), HasSubstr("no licence"));
  EXPECT_EQ(pool.stats().run_in_host, 0U);
}

std::atomic<int> initialized{0};

TEST_F(P8RunInHost, APoolThatCanForkNothingAtAll) {
  EXPECT_EQ(in_child([] {
              refuse_processes();
              PoolOptions options = in_host();
              options.initializer = [] { ++initialized; };
              Pool pool(options);
              EXPECT_TRUE(pool.started_pids(1).empty());  // nobody will come
              for (int i = 0; i < 10; ++i) EXPECT_EQ(pool.submit([](int x) { return x * initialized; }, i).get(), i);
              EXPECT_EQ(pool.stats().run_in_host, 10U);
              EXPECT_EQ(pool.stats().workers, 0U);
            }),
            0);
}

TEST_F(P8RunInHost, AnInitializerThatFailsHereBreaksThePool) {
  EXPECT_EQ(in_child([] {
              refuse_processes();
              PoolOptions options = in_host();
              options.initializer = throws;
              Pool pool(options);
              EXPECT_THROW(pool.submit([] { return 1; }).get(), PoolBroken);
              EXPECT_THAT(pool.broken(), HasSubstr("no licence"));
            }),
            0);
}

TEST_F(P8RunInHost, WithoutTheOptionSuchAPoolCannotBeMade) {
  EXPECT_EQ(in_child([] {
              refuse_processes();
              EXPECT_THROW(Pool pool(small_pool()), Error);
            }),
            0);
}

/// The price.
TEST_F(P8RunInHost, ACrashIsTheHosts) {
  const int status = in_child([] {
    refuse_processes();
    Pool pool(in_host());
    pool.submit([] { ::raise(SIGKILL); }).wait();
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

std::atomic<int> running{0};
std::atomic<int> most{0};

TEST_F(P8RunInHost, OneAtATimeOnOneThread) {
  Pool pool(refused());
  std::vector<Future<std::size_t>> futures;
  for (int i = 0; i < 200; ++i) {
    futures.push_back(pool.submit([] {
      most = std::max(most.load(), ++running);
      std::this_thread::yield();
      --running;
      return std::hash<std::thread::id>()(std::this_thread::get_id());
    }));
  }
  const std::size_t thread = futures.front().get();
  for (const auto& future : futures) EXPECT_EQ(future.get(), thread);
  EXPECT_NE(thread, std::hash<std::thread::id>()(std::this_thread::get_id()));
  EXPECT_EQ(most, 1);
}

TEST_F(P8RunInHost, BuffersGoInAndOut) {
  Pool pool(refused());
  Buffer given = pool.buffer(1 << 20);
  std::memset(given.data(), 7, given.size());
  const Buffer made = pool.submit(
                              [](const Buffer& from) {
                                Buffer result = Buffer::make(from.size());
                                std::transform(from.bytes().begin(), from.bytes().end(), result.data(),
                                               [](std::byte each) { return each << 1; });
                                return result;
                              },
                              given)
                          .get();
  ASSERT_EQ(made.size(), given.size());
  EXPECT_EQ(made.data()[12345], std::byte{14});
  EXPECT_EQ(pool.submit([](Buffer same) { return same; }, given).get().data()[77], std::byte{7});
}

TEST_F(P8RunInHost, MapsGoOnBehindAFailure) {
  Pool pool(refused());
  std::vector<int> all(100);
  for (int i = 0; i < 100; ++i) all[static_cast<std::size_t>(i)] = i;
  const auto f = [](int x) {
    if (x % 10 == 3) throw std::invalid_argument("three");
    return std::string(static_cast<std::size_t>(x), 'm');
  };
  const auto count = [](auto&& results) {
    int good = 0;
    int bad = 0;
    for (auto at = results.begin(); at != results.end(); ++at) {
      try {
        good += (*at).find_first_not_of('m') == std::string::npos ? 1 : 0;
      } catch (const std::invalid_argument&) {
        ++bad;
      }
    }
    return std::pair(good, bad);
  };
  EXPECT_EQ(count(pool.map(f, all, {.chunk = 7})), std::pair(90, 10));
  EXPECT_EQ(count(pool.map_unordered(f, all, {.chunk = 7})), std::pair(90, 10));
}

std::atomic<unsigned> attempts{0};

TEST_F(P8RunInHost, ExceptionsAreRetried) {
  Pool pool(refused());
  TaskOptions options;
  options.retries.attempts = 5;
  options.retries.on_exception = true;
  options.retries.base = 0s;
  const auto third_time = [](const std::string& text) {
    ++attempts;
    if (hotspare::attempt() < 3) throw std::runtime_error("not yet");
    return text + std::to_string(hotspare::attempt());
  };
  EXPECT_EQ(pool.submit(options, third_time, std::string(100'000, 'a')).get(), std::string(100'000, 'a') + "3");
  EXPECT_EQ(attempts, 3U);
  EXPECT_EQ(pool.stats().retried, 2U);
}

/// Nobody could keep them.
TEST_F(P8RunInHost, WhatHasLimitsIsRefused) {
  Pool pool(refused());
  TaskOptions timeout;
  timeout.timeout = 1h;
  TaskOptions soft;
  soft.soft_timeout = 1h;
  TaskOptions progress;
  progress.progress_timeout = 1h;
  TaskOptions memory;
  memory.memory_limit = std::size_t{1} << 40;
  for (const TaskOptions& options : {timeout, soft, progress, memory}) {
    const auto future = pool.submit(options, [] { return 1; });
    EXPECT_EQ(future.outcome().kind(), Outcome<int>::Kind::refused);
    try {
      future.get();
    } catch (const NeedsProcess& error) {
      EXPECT_THAT(error.what(), HasSubstr("limit cannot be kept"));
      EXPECT_THAT(error.what(), HasSubstr("fork()"));
    }
  }
  EXPECT_EQ(pool.submit([] { return 5; }).get(), 5);
  EXPECT_EQ(pool.stats().run_in_host, 1U);
  EXPECT_EQ(pool.stats().refused, 4U);
}

/// One that holds the host's thread until the gate is opened.
class Busy {
 public:
  explicit Busy(Pool& pool) : future(pool.submit(knock_and_pass, begun_.path(), gate_.path())) { begun_.await(); }
  void go_on() { gate_.open(); }

 private:
  Gate begun_;
  Gate gate_;

 public:
  Future<int> future;
};

TEST_F(P8RunInHost, WhatHasNotBegunCanBeCancelledAndExpires) {
  Pool pool(refused());
  Busy busy(pool);
  auto cancelled = pool.submit([] { return 1; });
  TaskOptions soon;
  soon.queue_timeout = 1ms;
  const auto expired = pool.submit(soon, [] { return 2; });
  EXPECT_TRUE(cancelled.cancel());
  EXPECT_THROW(expired.get(), QueueTimeout);
  EXPECT_FALSE(busy.future.cancel());
  EXPECT_FALSE(busy.future.cancel(Cancel::kill));  // there is nothing to be killed
  busy.go_on();
  EXPECT_EQ(busy.future.get(), 1);
  EXPECT_THROW(cancelled.get(), Cancelled);
  EXPECT_EQ(pool.stats().run_in_host, 1U);
}

std::atomic<int> order{0};

TEST_F(P8RunInHost, TagsAndPrioritiesHold) {
  PoolOptions options = refused();
  TagLimits limits;
  limits.breaker_failures = 1;
  limits.breaker_pause = 1h;
  options.tags["service"] = limits;
  Pool pool(options);
  Busy busy(pool);
  TaskOptions urgent;
  urgent.priority = 1;
  const auto usual = pool.submit([] { return ++order; });
  const auto first = pool.submit(urgent, [] { return ++order; });
  TaskOptions tagged;
  tagged.tags = {"service"};
  const auto fails = pool.submit(tagged, []() -> int { throw std::runtime_error("down"); });
  auto waits = pool.submit(tagged, [] { return 1; });
  busy.go_on();
  EXPECT_EQ(first.get(), 1);
  EXPECT_EQ(usual.get(), 2);
  EXPECT_THROW(fails.get(), std::runtime_error);
  EXPECT_EQ(pool.submit([] { return 6; }).get(), 6);
  EXPECT_TRUE(waits.cancel());  // it stands before the tag's breaker
}

TEST_F(P8RunInHost, ProgressIsSeen) {
  Pool pool(refused());
  Gate begun;
  Gate gate;
  const auto future = pool.submit(
      [](const std::string& knock, const std::string& pass) {
        hotspare::progress(3, 10, "loading");
        knock_and_pass(knock, pass);
        return hotspare::stop_token().stop_possible() ? 0U : hotspare::attempt();
      },
      begun.path(), gate.path());
  begun.await();
  const auto told = future.progress();
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->done, 3U);
  EXPECT_EQ(told->total, 10U);
  EXPECT_EQ(told->note, "loading");
  gate.open();
  EXPECT_EQ(future.get(), 1U);
  EXPECT_EQ(hotspare::attempt(), 0U);
}

Pool* own_pool = nullptr;
const Future<int>* other = nullptr;

/// As in a worker, where the pool is that of another process; else it would wait for itself.
TEST_F(P8RunInHost, ATaskCannotWaitForItsOwnPool) {
  Pool pool(refused());
  own_pool = &pool;
  Busy busy(pool);
  const auto submits = pool.submit([] { return own_pool->submit([] { return 1; }).get(); });
  const auto waits = pool.submit([] { return other->get(); });
  const auto behind = pool.submit([] { return 2; });
  other = &behind;
  busy.go_on();
  EXPECT_THROW(submits.get(), RemoteError);
  EXPECT_THROW(waits.get(), RemoteError);
  EXPECT_EQ(behind.get(), 2);
}

TEST_F(P8RunInHost, ATaskMayShutItsPoolDown) {
  Pool pool(refused());
  own_pool = &pool;
  Busy busy(pool);
  const auto closes = pool.submit([] {
    own_pool->shutdown();  // waits for nobody here
    return 1;
  });
  const auto behind = pool.submit([] { return 2; });
  busy.go_on();
  EXPECT_EQ(closes.get(), 1);
  EXPECT_EQ(behind.get(), 2);
  EXPECT_THROW(pool.submit([] { return 3; }), PoolClosed);
}

TEST_F(P8RunInHost, ATaskThatForksReturnsOnce) {
  Pool pool(refused());
  const auto forks = [] {
    const pid_t child = ::fork();
    int status = -1;
    if (child > 0) {
      EXPECT_EQ(::waitpid(child, &status, 0), child);
    }
    return std::pair(child != 0, status);
  };
  EXPECT_EQ(pool.submit(forks).get(), std::pair(true, 0));
  EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
}

TEST_F(P8RunInHost, ShutdownWaitsForWhatRunsAndDropsTheRest) {
  Pool pool(refused());
  Busy busy(pool);
  auto waits = pool.submit([] { return 2; });
  pool.shutdown(false, true);
  EXPECT_THROW(waits.get(), Cancelled);
  EXPECT_FALSE(busy.future.ready());
  busy.go_on();
  pool.shutdown();
  EXPECT_EQ(busy.future.get(), 1);
}

TEST_F(P8RunInHost, WhoWaitsForRoomGetsIt) {
  PoolOptions options = refused();
  options.queue_limit = 1;
  Pool pool(options);
  int sum = 0;
  std::vector<Future<int>> futures;
  for (int i = 0; i < 500; ++i) futures.push_back(pool.submit([](int x) { return x; }, i));
  for (const auto& future : futures) sum += future.get();
  EXPECT_EQ(sum, 500 * 499 / 2);
}

/// A pool whose zygote can be refused processes for a while. Its tasks must not need the test's files: nobody runs them.
class P8RunInHostForAWhile : public P8RunInHost {
 protected:
  PoolOptions options() {
    PoolOptions options = in_host();
    options.preload = can_be_refused;
    options.host_initializer = [] {};
    options.on_event = [this](const Event& event) {
      if (event.kind == Event::Kind::host_run) begun_.give();
      if (event.kind == Event::Kind::host_run_ends) ++over_;
    };
    return options;
  }
  /// Processes are tried after each task; the last try may still be under way, and fail, when they are to be had again.
  void await_workers(Pool& pool, int times) const {
    while (over_ != times) pool.submit([] {}).get();
  }
  static void kill_all(const Pool& pool) {
    for (const std::int64_t pid : pool.started_pids(3)) ::kill(static_cast<pid_t>(pid), SIGKILL);
  }
  Signals begun_;
  std::atomic<int> over_{0};
};

TEST_F(P8RunInHostForAWhile, WorkersComeBack) {
  Pool pool(options());
  for (int round = 0; round < 3; ++round) {
    EXPECT_NE(pool.submit([] { return ::getpid(); }).get(), ::getpid());
    static_cast<void>(pool.started_pids(3));
    allow_processes(pool.zygote_pid(), false);
    kill_all(pool);
    begun_.take();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(pool.submit([] { return ::getpid(); }).get(), ::getpid());
    allow_processes(pool.zygote_pid(), true);
    await_workers(pool, round + 1);
  }
  EXPECT_NE(pool.submit([] { return ::getpid(); }).get(), ::getpid());
}

/// What has killed a worker would kill the host.
TEST_F(P8RunInHostForAWhile, WhatHasKilledIsNotRunHere) {
  PoolOptions wanted = options();
  wanted.workers = 1;
  wanted.spares = 0;
  Pool pool(wanted);
  static_cast<void>(pool.started_pids(1));
  EXPECT_NE(pool.submit([] { return ::getpid(); }).get(), ::getpid());
  TaskOptions keyed;
  keyed.key = "bad.jpg";
  TaskOptions retried;
  retried.retries.attempts = 5;
  retried.retries.base = 0s;
  allow_processes(pool.zygote_pid(), false);
  const auto killer = pool.submit(retried, [] { ::raise(SIGKILL); });
  begun_.take();
  const auto outcome = killer.outcome();
  ASSERT_NE(outcome.report(), nullptr);
  EXPECT_EQ(outcome.report()->signal, SIGKILL);
  EXPECT_EQ(outcome.report()->attempt, 1);
  EXPECT_EQ(pool.submit(keyed, [] { return 4; }).get(), 4);  // nothing is known against it

  allow_processes(pool.zygote_pid(), true);
  await_workers(pool, 1);
  allow_processes(pool.zygote_pid(), false);
  EXPECT_THROW(pool.submit(keyed, [] { ::raise(SIGKILL); }).get(), WorkerDied);
  begun_.take();
  EXPECT_THROW(pool.submit(keyed, [] { return 4; }).get(), NeedsProcess);
  EXPECT_EQ(pool.submit([] { return 5; }).get(), 5);
}

}  // namespace
}  // namespace hotspare::testing
