#include "support/beacon.hpp"
#include "support/gate.hpp"
#include "support/one_death.hpp"

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

/// P5. The other limits in time: soft, queue, progress. As everywhere no test asserts how long something took.
namespace hotspare::testing {

HOTSPARE_GUILTY int hangs_without_a_word(int) {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));  // style: hangs on purpose
}

namespace {

using Kind = Outcome<int>::Kind;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

class P5TimeLimits : public ::testing::Test {
 protected:
  static PoolOptions with_one_worker() {
    PoolOptions options = small_pool();
    options.workers = 1;
    return options;
  }
  Pool pool_{with_one_worker()};
  TaskOptions options_;
};

int sleeps_until_asked(int x) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any never;
  never.wait(lock, stop_token(), [] { return false; });
  return x;
}

TEST_F(P5TimeLimits, ATaskIsAskedToStop) {
  options_.soft_timeout = milliseconds(50);
  options_.grace = hours(1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pool_.submit(options_, sleeps_until_asked, i).get(), i);
  EXPECT_EQ(pool_.stats().deaths, 0U);
}

TEST_F(P5TimeLimits, TheNextTaskIsNotAsked) {
  options_.soft_timeout = milliseconds(50);
  EXPECT_EQ(pool_.submit(options_, sleeps_until_asked, 1).get(), 1);
  options_.soft_timeout = hours(1);
  EXPECT_FALSE(pool_.submit(options_, [] { return stop_token().stop_requested(); }).get());
  EXPECT_TRUE(pool_.submit(options_, [] { return stop_token().stop_possible(); }).get());
  EXPECT_FALSE(pool_.submit([] { return stop_token().stop_possible(); }).get());
  EXPECT_FALSE(stop_token().stop_possible());
}

TEST_F(P5TimeLimits, EachElementOfAChunkIsAskedForItself) {
  MapOptions options{.chunk = 5};
  options.task.soft_timeout = milliseconds(50);
  options.task.grace = hours(1);
  const std::vector<int> items{1, 2, 3, 4, 5};
  int sum = 0;
  for (const int each : pool_.map(sleeps_until_asked, items, options)) sum += each;
  EXPECT_EQ(sum, 15);
  EXPECT_EQ(pool_.stats().deaths, 0U);
}

TEST_F(P5TimeLimits, WhoDoesNotStopIsEndedAfterTheGrace) {
  options_.soft_timeout = milliseconds(50);
  options_.grace = milliseconds(200);  // enough to come into the function on a busy machine
  const auto outcome = pool_.submit(options_, hangs_without_a_word, 1).outcome();
  EXPECT_THROW(std::rethrow_exception(outcome.error()), TaskTimeout);
  EXPECT_EQ(outcome.report()->cause, Cause::deadline);
  EXPECT_EQ(outcome.report()->signal, SIGTERM);
  EXPECT_TRUE(stack_has(*outcome.report(), "hangs_without_a_word")) << outcome.report()->text();
  EXPECT_THAT(outcome.report()->evidence, ::testing::HasSubstr("soft"));
  EXPECT_EQ(pool_.submit([] { return 7; }).get(), 7);
}

int hangs_and_ignores_sigterm(int x) {
  std::signal(SIGTERM, SIG_IGN);
  return hangs_without_a_word(x);
}

TEST_F(P5TimeLimits, WhoIgnoresSigtermIsKilled) {
  options_.soft_timeout = milliseconds(50);
  options_.grace = milliseconds(100);
  const auto outcome = pool_.submit(options_, hangs_and_ignores_sigterm, 1).outcome();
  EXPECT_EQ(outcome.kind(), Kind::died);
  EXPECT_EQ(outcome.report()->cause, Cause::deadline);
  EXPECT_EQ(outcome.report()->signal, SIGKILL);
}

TEST_F(P5TimeLimits, TheHardLimitHoldsWithinTheGrace) {
  options_.soft_timeout = milliseconds(50);
  options_.grace = hours(1);
  options_.timeout = milliseconds(200);
  const auto outcome = pool_.submit(options_, hangs_without_a_word, 1).outcome();
  EXPECT_EQ(outcome.report()->signal, SIGKILL);
  EXPECT_THAT(outcome.report()->evidence, ::testing::Not(::testing::HasSubstr("soft")));
}

TEST_F(P5TimeLimits, SilenceEndsATask) {
  options_.progress_timeout = milliseconds(200);
  const auto outcome = pool_.submit(options_, hangs_without_a_word, 1).outcome();
  EXPECT_THROW(std::rethrow_exception(outcome.error()), TaskTimeout);
  EXPECT_THAT(outcome.report()->evidence, ::testing::HasSubstr("progress"));
  EXPECT_TRUE(stack_has(*outcome.report(), "hangs_without_a_word")) << outcome.report()->text();
}

TEST_F(P5TimeLimits, WhoTellsOfProgressMayTakeAsLongAsItLikes) {
  options_.progress_timeout = std::chrono::seconds(2);
  const auto long_but_talking = [] {
    for (int i = 0; i < 30; ++i) {
      progress(static_cast<std::uint64_t>(i), 30, "step");
      std::this_thread::sleep_for(milliseconds(100));  // style: more than the limit in all
    }
    return 3;
  };
  EXPECT_EQ(pool_.submit(options_, long_but_talking).get(), 3);
  progress(1, 2, "outside of a task it does nothing");
}

TEST_F(P5TimeLimits, WhoSpeaksOnceAndFallsSilentIsEnded) {
  options_.progress_timeout = milliseconds(200);
  const auto speaks_once = [](int x) {
    progress();
    return hangs_without_a_word(x);
  };
  EXPECT_THROW(pool_.submit(options_, speaks_once, 1).get(), TaskTimeout);
}

TEST_F(P5TimeLimits, HowFarATaskIs) {
  Gate there;
  Gate go_on;
  const auto task = [](const std::string& knock, const std::string& pass) {
    progress(3, 10, "reading headers");
    Gate::knock(knock);
    Gate::pass(pass);
    return 1;
  };
  auto future = pool_.submit(options_, task, there.path(), go_on.path());
  there.await();
  const auto told = future.progress();
  ASSERT_TRUE(told);
  EXPECT_EQ(told->done, 3U);
  EXPECT_EQ(told->total, 10U);
  EXPECT_EQ(told->note, "reading headers");
  go_on.open();
  EXPECT_EQ(future.get(), 1);
  EXPECT_FALSE(future.progress());
  EXPECT_FALSE(pool_.submit([] { return 1; }).progress() && false);
}

TEST_F(P5TimeLimits, ATaskThatCannotBeginInTimeNeverRuns) {
  Gate gate;
  Beacon ran;
  auto first = pool_.submit([](const std::string& path) { Gate::pass(path); }, gate.path());
  options_.queue_timeout = milliseconds(100);
  std::vector<Future<int>> late;  // some of them in the worker's own ring
  for (int i = 0; i < 300; ++i)
    late.push_back(pool_.submit(
        options_,
        [](const std::string& path) {
          Beacon(path).tell(1);
          return 1;
        },
        ran.path()));
  for (const auto& future : late) {
    EXPECT_EQ(future.outcome().kind(), Kind::refused);
    EXPECT_THROW(future.get(), QueueTimeout);
  }
  gate.open();
  first.get();
  EXPECT_EQ(pool_.submit([](const std::string& path) { return Beacon(path).told(); }, ran.path()).get(), 0U);
  EXPECT_EQ(pool_.stats().expired, 300U);
  EXPECT_EQ(pool_.stats().refused, 300U);
}

TEST_F(P5TimeLimits, OneThatBeginsInTimeIsNotTouched) {
  pool_.submit([] {}).get();  // how long the pool takes to start is not the question
  options_.queue_timeout = milliseconds(500);
  Gate began;
  const auto task = [](const std::string& path) {
    Gate::knock(path);
    std::this_thread::sleep_for(milliseconds(700));  // style: longer than it may wait
    return 4;
  };
  EXPECT_EQ(pool_.submit(options_, task, began.path()).get(), 4);
  EXPECT_EQ(pool_.stats().expired, 0U);
}

TEST(P5ManyLimits, OfEveryKindEndOnce) {
  Pool pool(small_pool());
  std::vector<Future<int>> futures;
  for (int i = 0; i < 400; ++i) {
    TaskOptions options;
    if (i % 2 == 0) options.timeout = hours(1);
    if (i % 3 == 0) options.soft_timeout = hours(2);
    if (i % 5 == 0) options.progress_timeout = hours(3);
    if (i % 7 == 0) options.queue_timeout = hours(4);
    if (i % 50 == 13) options.timeout = milliseconds(20);
    const bool hangs = i % 50 == 13;
    futures.push_back(pool.submit(
        options, [](int x, bool hang) { return hang ? hangs_without_a_word(x) : x; }, i, hangs));
  }
  for (int i = 0; i < 400; ++i) {
    const auto outcome = futures[static_cast<std::size_t>(i)].outcome();
    if (i % 50 == 13) {
      EXPECT_EQ(outcome.kind(), Kind::died);
    } else {
      EXPECT_EQ(outcome.value(), i);
    }
  }
  EXPECT_EQ(pool.stats().deaths, 8U);
}

}  // namespace
}  // namespace hotspare::testing
