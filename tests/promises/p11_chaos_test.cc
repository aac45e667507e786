#include "support/sanitizer.hpp"
#include "support/test_pool.hpp"
#include "support/under_tsan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

/// P11, with the faults of hotspare::chaos: what it chooses is what the pool counts, each by its cause.
namespace hotspare::testing {

using chaos::Chaos;
using chaos::How;

int twice(int x) { return 2 * x; }
std::string second_of(int, const std::string& text) { return text; }

namespace {

using Kind = Outcome<int>::Kind;
using std::chrono::seconds;

/// A sanitizer's allocator ends the process in its own way, and ThreadSanitizer's signals come when it suits it.
bool can_be_tested(How how) {
  if (how == How::memory || how == How::stack_overflow) return !sanitized();
  return !(under_tsan() && how == How::abort);
}

/// Deadlines only where one is to be met: on a busy machine an innocent task may take long.
TaskOptions options_for(std::optional<How> how) {
  TaskOptions options;
  if (how == How::hang || how == How::stop) options.timeout = seconds(1);
  if (how == How::memory) options.memory_limit = 64 << 20;
  return options;
}

bool is_struck(How how, const Outcome<int>& outcome) {
  if (how == How::leak) return outcome.ok();
  if (how == How::raise) return outcome.kind() == Kind::raised;
  if (outcome.kind() != Kind::died) return false;
  const CrashReport& report = *outcome.report();
  switch (how) {
    case How::sigkill: return report.cause == Cause::signal && report.signal == SIGKILL;
    case How::sigsegv: return report.cause == Cause::signal && report.signal == SIGSEGV && report.fault_address == 0;
    case How::abort: return report.cause == Cause::signal && report.signal == SIGABRT;
    case How::exit: return report.cause == Cause::exited && report.exit_code == 3;
    case How::stack_overflow: return report.cause == Cause::stack_overflow;
    case How::memory: return report.cause == Cause::memory_limit;
    case How::hang:
    case How::stop: return report.cause == Cause::deadline;
    case How::leak:
    case How::raise: break;
  }
  return false;
}

class P11ChaosBy : public ::testing::TestWithParam<How> {
 protected:
  void SetUp() override {
    if (!can_be_tested(GetParam())) GTEST_SKIP() << "a sanitizer would have its own way";
  }
};

TEST_P(P11ChaosBy, TheCountsAreThoseThatItChooses) {
  constexpr int tasks = 150;
  const Chaos chaos{.seed = 11, .rate = 0.04, .how = GetParam(), .bytes = 4096};
  Pool pool(small_pool());
  std::vector<Future<int>> futures;
  for (int key = 0; key < tasks; ++key)
    futures.push_back(pool.submit(options_for(chaos.choose(key)), chaos::wrap(twice, chaos), key));
  std::uint64_t struck = 0;
  for (int key = 0; key < tasks; ++key) {
    const auto outcome = futures[static_cast<std::size_t>(key)].outcome();
    if (const auto how = chaos.choose(key)) {
      ++struck;
      EXPECT_TRUE(is_struck(*how, outcome)) << (outcome.report() != nullptr ? outcome.report()->text() : "no death");
    } else {
      EXPECT_EQ(outcome.value(), 2 * key);
    }
  }
  EXPECT_GE(struck, 2U);
  const Stats stats = pool.stats();
  const bool dies = GetParam() != How::leak && GetParam() != How::raise;
  EXPECT_EQ(stats.deaths, dies ? struck : 0);
  EXPECT_EQ(stats.died, dies ? struck : 0);
  EXPECT_EQ(stats.raised, GetParam() == How::raise ? struck : 0);
  EXPECT_EQ(stats.values, tasks - (GetParam() == How::leak ? 0 : struck));
}

INSTANTIATE_TEST_SUITE_P(, P11ChaosBy,
                         ::testing::Values(How::sigkill, How::sigsegv, How::abort, How::exit, How::stack_overflow,
                                           How::memory, How::leak, How::hang, How::stop, How::raise),
                         [](const auto& row) { return std::string(chaos::name(row.param)); });

chaos::Hows all_that_can_be_tested() {
  chaos::Hows all;
  for (unsigned way = 0; way < chaos::ways; ++way)
    if (can_be_tested(static_cast<How>(way))) all.add(static_cast<How>(way));
  return all;
}

TEST(P11Chaos, WithRetriesAllEndWell) {
  constexpr int tasks = 100;
  const Chaos chaos{.every = 5, .how = all_that_can_be_tested(), .bytes = 4096};
  Pool pool(small_pool());
  std::vector<Future<int>> futures;
  std::uint64_t deaths = 0;
  std::uint64_t retries = 0;
  for (int key = 0; key < tasks; ++key) {
    const auto how = chaos.choose(key);
    TaskOptions options = options_for(how);
    options.retries.attempts = 2;
    options.retries.on_exception = true;
    options.retries.base = std::chrono::nanoseconds(0);
    retries += how && how != How::leak ? 1 : 0;
    deaths += how && how != How::leak && how != How::raise ? 1 : 0;
    const auto tell_attempt = [](int) { return static_cast<int>(attempt()); };
    futures.push_back(pool.submit(options, chaos::wrap(tell_attempt, chaos), key));
  }
  for (int key = 0; key < tasks; ++key) {
    const auto how = chaos.choose(key);
    EXPECT_EQ(futures[static_cast<std::size_t>(key)].get(), how && how != How::leak ? 2 : 1) << key;
  }
  EXPECT_GE(deaths, 12U);
  EXPECT_EQ(pool.stats().values, static_cast<std::uint64_t>(tasks));
  EXPECT_EQ(pool.stats().retried, retries);
  EXPECT_EQ(pool.stats().deaths, deaths);
}

TEST(P11Chaos, AHangHeedsNoSoftDeadline) {
  TaskOptions options;
  options.soft_timeout = options.grace = std::chrono::milliseconds(100);
  Pool pool(small_pool());
  const auto hangs = [] {
    const std::stop_token token = stop_token();
    chaos::strike(How::hang);
  };
  EXPECT_THROW(pool.submit(options, hangs).get(), TaskTimeout);
}

TEST(P11Chaos, AsManyAttemptsAsTold) {
  TaskOptions options;
  options.retries.attempts = 3;
  options.retries.on_exception = true;
  options.retries.base = std::chrono::nanoseconds(0);
  Pool pool(small_pool());
  const auto run = [&](std::uint32_t attempts) {
    return pool.submit(options, chaos::wrap(twice, {.every = 1, .how = How::raise, .attempts = attempts}), 21);
  };
  EXPECT_EQ(run(2).get(), 42);
  EXPECT_EQ(pool.stats().retried, 2U);
  EXPECT_THROW(run(0).get(), chaos::Struck);
  EXPECT_EQ(pool.stats().retried, 4U);
}

TEST(P11Chaos, ElementsOfAMapHaveKeysOfTheirOwn) {
  const Chaos chaos{.seed = 5, .rate = 0.05, .how = {How::sigkill, How::raise}};
  std::vector<int> keys(300);
  std::iota(keys.begin(), keys.end(), 0);
  Pool pool(small_pool());
  MapOptions options;
  options.chunk = 10;
  auto results = pool.map(chaos::wrap(twice, chaos), keys, options);
  int key = 0;
  for (auto at = results.begin(); at != results.end(); ++at, ++key) {
    const auto how = chaos.choose(key);
    if (how == How::sigkill) {
      EXPECT_THROW(*at, WorkerDied);
    } else if (how == How::raise) {
      EXPECT_THROW(*at, chaos::Struck);
    } else {
      EXPECT_EQ(*at, 2 * key);
    }
  }
  EXPECT_EQ(key, 300);
}

TEST(P11Chaos, KeysAreNumbersTextOrMade) {
  const Chaos chaos{.seed = 3, .rate = 0.5, .how = How::raise};
  const auto length = [](const std::string& text) { return text.size(); };
  const auto second = [](int, const std::string& text) { return text.size(); };
  Pool pool(small_pool());
  for (int i = 0; i < 20; ++i) {
    const std::string name = "star " + std::to_string(i);
    const auto alone = pool.submit(chaos::wrap(length, chaos), name);
    const auto behind = pool.submit(chaos::wrap(second, chaos, second_of), 1, name);
    EXPECT_EQ(alone.outcome().ok(), !chaos.choose(name)) << name;
    EXPECT_EQ(behind.outcome().ok(), !chaos.choose(name)) << name;
  }
}

TEST(P11Chaos, InTheHostNothingIsDone) {
  for (unsigned way = 0; way < chaos::ways; ++way) EXPECT_THROW(chaos::strike(static_cast<How>(way)), Error);
  bool called = false;
  auto wrapped = chaos::wrap([&called](int) { called = true; }, {.every = 2});
  EXPECT_THROW(wrapped(0), Error);
  EXPECT_FALSE(called);
  wrapped(1);
  EXPECT_TRUE(called);
}

/// A helper process that a task forked is no worker either.
TEST(P11Chaos, InAChildOfATaskNothingIsDone) {
  const auto strikes_in_child = [] {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        chaos::strike(How::sigkill);
      } catch (const Error&) {
        ::_exit(7);
      }
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  Pool pool(small_pool());
  EXPECT_EQ(pool.submit(strikes_in_child).get(), 7);
}

std::string message_of(const Future<void>& future) {
  try {
    future.get();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

TEST(P11Chaos, MemoryIsBounded) {
  Pool pool(small_pool());
  EXPECT_THAT(message_of(pool.submit([] { chaos::strike(How::memory); })), ::testing::HasSubstr("memory_limit"));
  EXPECT_THAT(message_of(pool.submit([] { chaos::strike(How::leak, std::uint64_t{1} << 31); })),
              ::testing::HasSubstr("1 GiB"));
  EXPECT_EQ(pool.stats().deaths, 0U);
}

long resident_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    long kilobytes = 0;
    if (word == "VmRSS:" && status >> kilobytes) return kilobytes;
  }
  return -1;
}

TEST(P11Chaos, ALeakStays) {
  const auto grown_kb = [] {
    const long before = resident_kb();
    chaos::strike(How::leak, 32 << 20);
    return resident_kb() - before;
  };
  Pool pool(small_pool());
  EXPECT_GE(pool.submit(grown_kb).get(), 31 << 10);
}

TEST(P11Chaos, NonsenseIsRefusedAtTheCall) {
  EXPECT_THROW(chaos::wrap(twice, {.rate = 2}), Error);
  EXPECT_THROW(chaos::wrap(twice, {.how = chaos::Hows()}), Error);
}

}  // namespace
}  // namespace hotspare::testing
