#include "support/gate.hpp"
#include "support/ledger.hpp"
#include "support/one_death.hpp"
#include "support/sanitizer.hpp"

#include <algorithm>
#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

/// P2, where the policy of a task allows more than one attempt: it still settles once, runs as often as allowed and no
/// more, and only a failed attempt is followed by another.
namespace hotspare::testing {
namespace {

using Kind = Outcome<int>::Kind;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

/// Fails in the attempts before this one; returns how often it was run.
int succeeds_at(const std::string& ledger, int task, int attempt, bool by_death) {
  const int runs = Ledger::note(ledger, static_cast<std::size_t>(task));
  if (runs >= attempt) return runs;
  if (by_death) ::raise(SIGKILL);
  throw std::runtime_error("attempt " + std::to_string(runs));
}

int fails_as_told(const std::string& ledger, int how) {
  Ledger::note(ledger, 0);
  if (how == 0) ::raise(SIGSEGV);
  if (how == 1) throw std::invalid_argument("a wrong item");
  if (how == 2) std::this_thread::sleep_for(std::chrono::hours(1));  // style: hangs on purpose
  return how;
}

TaskOptions with_attempts(unsigned attempts) {
  TaskOptions options;
  options.retries.attempts = attempts;
  options.retries.on_exception = true;
  options.retries.base = nanoseconds(0);
  return options;
}

PoolOptions patient_pool() {
  PoolOptions options = small_pool();
  options.quarantine_deaths = 0;
  options.retry_budget.tokens = 100'000;
  return options;
}

TEST(P2Retries, NothingRunsAgainByDefault) {
  Ledger ledger(1);
  Pool pool(patient_pool());
  EXPECT_THROW(pool.submit(succeeds_at, ledger.path(), 0, 2, true).get(), WorkerDied);
  EXPECT_EQ(ledger.runs(0), 1);
  EXPECT_EQ(pool.stats().retried, 0U);
}

int attempt_that_succeeds(int task) {
  const auto now = static_cast<int>(attempt());
  if (now < task % 4) ::raise(SIGKILL);
  return now;
}

/// As the only attempt, as a later one, and as an element of a map, alone and among others.
TEST(P2Retries, ATaskKnowsWhichAttemptItIs) {
  EXPECT_EQ(attempt(), 0U);
  Pool pool(patient_pool());
  EXPECT_EQ(pool.submit(attempt_that_succeeds, 1).get(), 1);
  EXPECT_EQ(pool.submit(with_attempts(3), attempt_that_succeeds, 3).get(), 3);
  std::vector<int> elements(40);
  for (int i = 0; i < 40; ++i) elements[static_cast<std::size_t>(i)] = i;
  for (const std::size_t chunk : {1U, 8U}) {
    int element = 0;
    for (const int found : pool.map(attempt_that_succeeds, elements, {.chunk = chunk, .task = with_attempts(3)}))
      EXPECT_EQ(found, std::max(1, element++ % 4));
  }
}

class P2RetriesOf : public ::testing::TestWithParam<bool> {};

TEST_P(P2RetriesOf, ATaskRunsUntilItSucceeds) {
  constexpr int tasks = 60;
  Ledger ledger(tasks);
  Pool pool(patient_pool());
  std::vector<Future<int>> futures;
  for (int task = 0; task < tasks; ++task)
    futures.push_back(pool.submit(with_attempts(3), succeeds_at, ledger.path(), task, 1 + task % 3, GetParam()));
  for (int task = 0; task < tasks; ++task) {
    EXPECT_EQ(futures[static_cast<std::size_t>(task)].get(), 1 + task % 3);
    EXPECT_EQ(ledger.runs(static_cast<std::size_t>(task)), 1 + task % 3);
  }
  const Stats stats = pool.stats();
  EXPECT_EQ(stats.values, static_cast<std::uint64_t>(tasks));
  EXPECT_EQ(stats.submitted, static_cast<std::uint64_t>(tasks));
  EXPECT_EQ(stats.retried, 60U);
  EXPECT_EQ(stats.died + stats.raised, 0U);
  EXPECT_EQ(stats.deaths, GetParam() ? 60U : 0U);
}

TEST_P(P2RetriesOf, NoMoreAttemptsThanAllowed) {
  Ledger ledger(1);
  Pool pool(patient_pool());
  const auto outcome = pool.submit(with_attempts(3), succeeds_at, ledger.path(), 0, 99, GetParam()).outcome();
  EXPECT_EQ(outcome.kind(), GetParam() ? Kind::died : Kind::raised);
  EXPECT_EQ(ledger.runs(0), 3);
  if (!GetParam()) {
    try {
      outcome.value();
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "attempt 3");
    }
    return;
  }
  EXPECT_EQ(outcome.report()->attempt, 3);
  ASSERT_EQ(outcome.report()->earlier.size(), 2U);
  EXPECT_EQ(outcome.report()->earlier[0]->attempt, 1);
  EXPECT_EQ(outcome.report()->earlier[1]->attempt, 2);
  EXPECT_FALSE(outcome.report()->quarantined);
}

INSTANTIATE_TEST_SUITE_P(, P2RetriesOf, ::testing::Bool(),
                         [](const auto& row) { return std::string(row.param ? "Deaths" : "Exceptions"); });

struct Choice {
  const char* name;
  int how;
  bool death, timeout, exception;
  int runs;
};
class P2RetriesOn : public ::testing::TestWithParam<Choice> {};

TEST_P(P2RetriesOn, WhatThePolicyNames) {
  Ledger ledger(1);
  Pool pool(patient_pool());
  TaskOptions options = with_attempts(2);
  options.timeout = milliseconds(200);
  options.retries.on_death = GetParam().death;
  options.retries.on_timeout = GetParam().timeout;
  options.retries.on_exception = GetParam().exception;
  EXPECT_FALSE(pool.submit(options, fails_as_told, ledger.path(), GetParam().how).outcome().ok());
  EXPECT_EQ(ledger.runs(0), GetParam().runs);
}

INSTANTIATE_TEST_SUITE_P(
    , P2RetriesOn,
    ::testing::Values(Choice{"Death", 0, true, false, false, 2}, Choice{"NoDeath", 0, false, true, true, 1},
                      Choice{"Exception", 1, false, false, true, 2}, Choice{"NoException", 1, true, true, false, 1},
                      Choice{"Timeout", 2, false, true, false, 2}, Choice{"NoTimeout", 2, true, false, true, 1}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(P2Retries, ThePredicateAndTheHookSeeEachFailure) {
  Ledger ledger(1);
  Pool pool(patient_pool());
  std::vector<std::string> seen;  // both are called on one thread, and over when the task has settled
  TaskOptions options = with_attempts(9);
  options.retries.when = [&](const Failure& failure) {
    try {
      std::rethrow_exception(failure.error());
    } catch (const std::exception& error) {
      seen.push_back("when " + std::to_string(failure.attempt()) + " " + error.what());
    }
    EXPECT_FALSE(failure.died());
    EXPECT_EQ(failure.report(), nullptr);
    return failure.attempt() < 2;
  };
  options.retries.before_retry = [&](const Failure& failure) {
    seen.push_back("before " + std::to_string(failure.attempt()));
  };
  EXPECT_THROW(pool.submit(options, succeeds_at, ledger.path(), 0, 99, false).get(), std::runtime_error);
  EXPECT_EQ(seen, (std::vector<std::string>{"when 1 attempt 1", "before 1", "when 2 attempt 2"}));
  EXPECT_EQ(ledger.runs(0), 2);
}

TEST(P2Retries, ThePredicateSeesTheReportOfADeath) {
  Ledger ledger(1);
  Pool pool(patient_pool());
  TaskOptions options = with_attempts(2);
  int signal = 0;
  options.retries.when = [&](const Failure& failure) {
    EXPECT_TRUE(failure.died());
    EXPECT_THROW(std::rethrow_exception(failure.error()), WorkerDied);
    signal = failure.report()->signal;
    return true;
  };
  EXPECT_EQ(pool.submit(options, succeeds_at, ledger.path(), 0, 2, true).get(), 2);
  EXPECT_EQ(signal, SIGKILL);
}

TEST(P2Retries, AHookThatThrowsEndsTheRetrying) {
  Ledger ledger(1);
  Pool pool(patient_pool());
  TaskOptions options = with_attempts(5);
  options.retries.before_retry = [](const Failure&) { throw std::runtime_error("no such file"); };
  EXPECT_THROW(pool.submit(options, succeeds_at, ledger.path(), 0, 99, false).get(), std::runtime_error);
  EXPECT_EQ(ledger.runs(0), 1);
}

std::uint64_t sum_at_second(const std::string& ledger, const std::vector<unsigned char>& bytes, bool by_death) {
  std::uint64_t sum = 0;
  for (const unsigned char each : bytes) sum += each;
  if (Ledger::note(ledger, 0) == 1) {
    if (by_death) ::raise(SIGKILL);
    throw std::runtime_error(std::string(300'000, 'x'));  // as large as the arguments, so that it wants their place
  }
  return sum;
}

/// Arguments in the slot are tested above; these lie on the heap, in the box, and in segments.
TEST_P(P2RetriesOf, ArgumentsOfAnySizeAreThereAgain) {
  for (const std::size_t size : {std::size_t{100}, std::size_t{5'000}, std::size_t{300'000}, std::size_t{3'000'000}}) {
    Ledger ledger(1);
    Pool pool(patient_pool());
    const std::vector<unsigned char> bytes(size, 3);
    EXPECT_EQ(pool.submit(with_attempts(2), sum_at_second, ledger.path(), bytes, GetParam()).get(), 3 * size);
    EXPECT_EQ(ledger.runs(0), 2);
  }
}

TEST_P(P2RetriesOf, BuffersAreThereAgain) {
  Ledger ledger(1);
  Pool pool(patient_pool());
  Buffer buffer = pool.buffer(1 << 20);
  std::fill_n(buffer.data(), buffer.size(), std::byte{2});
  const auto sum = [](const std::string& path, const Buffer& given, bool by_death) {
    return sum_at_second(path, std::vector<unsigned char>(given.size(), static_cast<unsigned char>(given.data()[7])),
                         by_death);
  };
  EXPECT_EQ(pool.submit(with_attempts(2), sum, ledger.path(), buffer, GetParam()).get(), 2U << 20);
}

/// What a task holds while it waits for another attempt is given back when it has ended: with a limit of one such argument
/// a second one would else wait for ever.
TEST_P(P2RetriesOf, LargeArgumentsAreCountedOnce) {
  PoolOptions options = patient_pool();
  options.payload_limit = 1'000'000;
  Pool pool(options);
  const std::vector<unsigned char> bytes(900'000, 1);
  for (int round = 0; round < 5; ++round) {
    Ledger ledger(1);
    EXPECT_EQ(pool.submit(with_attempts(2), sum_at_second, ledger.path(), bytes, GetParam()).get(), 900'000U);
    Ledger other(1);
    EXPECT_FALSE(pool.submit(with_attempts(1), sum_at_second, other.path(), bytes, GetParam()).outcome().ok());
  }
}

TaskOptions that_pauses_for_ever() {
  TaskOptions options = with_attempts(5);
  options.retries.base = options.retries.cap = std::chrono::hours(1);
  return options;
}

TEST_P(P2RetriesOf, OneThatPausesCanBeCancelled) {
  Ledger ledger(1);
  PoolOptions pool_options = patient_pool();
  Gate retried;
  pool_options.on_event = [&](const Event& event) {
    if (event.kind == Event::Kind::retry) retried.open();
  };
  Pool pool(pool_options);
  auto future = pool.submit(that_pauses_for_ever(), succeeds_at, ledger.path(), 0, 99, GetParam());
  retried.await();
  EXPECT_FALSE(future.ready());
  EXPECT_TRUE(future.cancel());
  EXPECT_EQ(future.outcome().kind(), Kind::cancelled);
  EXPECT_EQ(ledger.runs(0), 1);
}

TEST_P(P2RetriesOf, OneThatIsAskedAboutCanBeCancelled) {
  Ledger ledger(1);
  Pool pool(patient_pool());
  Gate asked;
  Gate answer;
  TaskOptions options = with_attempts(5);
  options.retries.when = [&](const Failure&) {
    asked.open();
    answer.await();
    return true;
  };
  auto future = pool.submit(options, succeeds_at, ledger.path(), 0, 99, GetParam());
  asked.await();
  EXPECT_TRUE(future.cancel());
  EXPECT_EQ(future.outcome().kind(), Kind::cancelled);
  answer.open();
  pool.shutdown();
  EXPECT_EQ(ledger.runs(0), 1);
}

TEST_P(P2RetriesOf, ShutdownWithCancelGivesTheLastFailure) {
  Ledger ledger(1);
  PoolOptions pool_options = patient_pool();
  Gate retried;
  pool_options.on_event = [&](const Event& event) {
    if (event.kind == Event::Kind::retry) retried.open();
  };
  Pool pool(pool_options);
  auto future = pool.submit(that_pauses_for_ever(), succeeds_at, ledger.path(), 0, 99, GetParam());
  retried.await();
  pool.shutdown(true, true);
  EXPECT_EQ(future.outcome().kind(), GetParam() ? Kind::died : Kind::raised);
  EXPECT_EQ(ledger.runs(0), 1);
}

TEST_P(P2RetriesOf, ShutdownWaitsForAttemptsToCome) {
  Ledger ledger(1);
  Pool pool(patient_pool());
  TaskOptions options = with_attempts(3);
  options.retries.base = options.retries.cap = milliseconds(20);
  auto future = pool.submit(options, succeeds_at, ledger.path(), 0, 3, GetParam());
  pool.shutdown();
  EXPECT_TRUE(future.ready());
  EXPECT_EQ(future.get(), 3);
}

TEST_P(P2RetriesOf, TheBudgetOfThePoolEndsAStorm) {
  constexpr int tasks = 50;
  Ledger ledger(tasks);
  PoolOptions pool_options = patient_pool();
  pool_options.retry_budget = {.tokens = 10, .per_value = 0};
  Pool pool(pool_options);
  std::vector<Future<int>> futures;
  for (int task = 0; task < tasks; ++task)
    futures.push_back(pool.submit(with_attempts(4), succeeds_at, ledger.path(), task, 99, GetParam()));
  int runs = 0;
  for (const auto& future : futures) EXPECT_FALSE(future.outcome().ok());
  for (int task = 0; task < tasks; ++task) runs += ledger.runs(static_cast<std::size_t>(task));
  EXPECT_EQ(runs, tasks + 10);
  EXPECT_EQ(pool.stats().retried, 10U);
  // Each either had all its attempts or was denied one.
  int exhausted = 0;
  for (int task = 0; task < tasks; ++task) exhausted += ledger.runs(static_cast<std::size_t>(task)) == 4 ? 1 : 0;
  EXPECT_EQ(pool.stats().retries_denied, static_cast<std::uint64_t>(tasks - exhausted));
}

TEST(P2Retries, TasksThatSucceedFillTheBudget) {
  Ledger ledger(2);
  PoolOptions pool_options = patient_pool();
  pool_options.retry_budget = {.tokens = 1, .per_value = 0.5};
  Pool pool(pool_options);
  EXPECT_EQ(pool.submit(with_attempts(2), succeeds_at, ledger.path(), 0, 2, false).get(), 2);  // gives half of it back
  EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
  EXPECT_EQ(pool.submit(with_attempts(2), succeeds_at, ledger.path(), 1, 2, false).get(), 2);
}

/// The victim of a worker that dies and is run again must not be confused with those that it had not begun.
TEST(P2Retries, InAStormEachAttemptIsTheLastOrFailed) {
  constexpr int tasks = 2000;
  Ledger ledger(tasks);
  Pool pool(patient_pool());
  std::vector<Future<int>> futures;
  for (int task = 0; task < tasks; ++task)
    futures.push_back(pool.submit(with_attempts(3), succeeds_at, ledger.path(), task, task % 25 == 0 ? 3 : 1, true));
  for (int task = 0; task < tasks; ++task) {
    EXPECT_EQ(futures[static_cast<std::size_t>(task)].get(), task % 25 == 0 ? 3 : 1);
    EXPECT_EQ(ledger.runs(static_cast<std::size_t>(task)), task % 25 == 0 ? 3 : 1) << task;
  }
  EXPECT_EQ(pool.stats().deaths, 160U);
  EXPECT_EQ(pool.stats().retried, 160U);
}

TEST(P2Retries, ADeathForMemoryIsRunAgainAlone) {
  if (sanitized()) GTEST_SKIP() << "a sanitizer's shadow memory is beyond every limit";
  Ledger ledger(1);
  Pool pool(patient_pool());
  TaskOptions options = with_attempts(2);
  options.memory_limit = 64 << 20;
  const auto first_too_much = [](const std::string& path) {
    const int run = Ledger::note(path, 0);
    std::vector<char> much(run == 1 ? 512 << 20 : 1 << 20, 'x');
    return run + static_cast<int>(much[0]) - 'x';
  };
  // Others come all the while: they begin before it is run again, or when it is over.
  auto guilty = pool.submit(options, first_too_much, ledger.path());
  std::vector<Future<int>> others;
  for (int i = 0; i < 200; ++i) others.push_back(pool.submit([](int x) { return x; }, i));
  EXPECT_EQ(guilty.get(), 2);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(others[static_cast<std::size_t>(i)].get(), i);
  EXPECT_EQ(pool.stats().retried, 1U);
}

TEST(P2Retries, MemoryHasABudgetOfItsOwn) {
  if (sanitized()) GTEST_SKIP() << "a sanitizer's shadow memory is beyond every limit";
  Ledger ledger(1);
  Pool pool(patient_pool());
  TaskOptions options = with_attempts(9);
  options.memory_limit = 64 << 20;
  const auto too_much = [](const std::string& path) {
    Ledger::note(path, 0);
    std::vector<char> much(512 << 20, 'x');
    return static_cast<int>(much[0]);
  };
  const auto outcome = pool.submit(options, too_much, ledger.path()).outcome();
  EXPECT_EQ(outcome.kind(), Kind::died);
  EXPECT_EQ(outcome.report()->cause, Cause::memory_limit);
  EXPECT_EQ(ledger.runs(0), 2);
}

}  // namespace
}  // namespace hotspare::testing
