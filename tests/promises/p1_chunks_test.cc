#include "support/gate.hpp"
#include "support/ledger.hpp"
#include "support/test_pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <numeric>
#include <set>
#include <string>
#include <vector>

/// P1 for elements that travel together: a death is that of the element which was running. Those before it keep their
/// results, those behind it are run elsewhere, and none is run twice.
namespace hotspare::testing {
namespace {

/// Its ledger is at HOTSPARE_TEST_LEDGER, wherever it runs.
class LedgerOf {
 public:
  explicit LedgerOf(std::size_t items) : ledger_(items) { ::setenv("HOTSPARE_TEST_LEDGER", ledger_.path().c_str(), 1); }
  // NOLINTNEXTLINE(clang-analyzer-cplusplus.StringChecker): it is set above
  static void note(int item) { Ledger::note(std::getenv("HOTSPARE_TEST_LEDGER"), static_cast<std::size_t>(item)); }
  void expect_each_ran_once(int items) const {
    for (int i = 0; i < items; ++i) EXPECT_EQ(ledger_.runs(static_cast<std::size_t>(i)), 1) << i;
  }

 private:
  Ledger ledger_;
};

std::vector<int> up_to(int n) {
  std::vector<int> numbers(static_cast<std::size_t>(n));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

struct Outcomes {
  std::vector<int> values;
  std::vector<CrashReport> deaths;
  int raised = 0;
};

template <class View>
Outcomes outcomes_of(View view) {
  Outcomes all;
  for (auto it = view.begin(); it != view.end(); ++it) {
    try {
      all.values.push_back(static_cast<int>(*it));
    } catch (const WorkerDied& error) {
      all.deaths.push_back(error.report());
    } catch (const std::domain_error&) {
      ++all.raised;
    }
  }
  return all;
}

std::vector<int> all_but(int items, const std::set<int>& missing) {
  std::vector<int> left;
  for (int i = 0; i < items; ++i)
    if (!missing.contains(i)) left.push_back(i);
  return left;
}

int ten_kill(int item) {
  LedgerOf::note(item);
  if (item % 100 == 50) ::raise(item % 200 == 50 ? SIGKILL : SIGSEGV);
  return item;
}

class Chunks : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Chunks, AnElementThatKillsCostsItselfOnly) {
  const LedgerOf ledger(1000);
  Pool pool(small_pool());
  const Outcomes all = outcomes_of(pool.map(ten_kill, up_to(1000), {.chunk = GetParam()}));
  std::set<int> killers;
  for (int i = 50; i < 1000; i += 100) killers.insert(i);
  EXPECT_EQ(all.values, all_but(1000, killers));
  ASSERT_EQ(all.deaths.size(), 10U);
  for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(all.deaths[i].signal, i % 2 == 0 ? SIGKILL : SIGSEGV);
  ledger.expect_each_ran_once(1000);
  EXPECT_EQ(pool.stats().deaths, 10U);
}

TEST_P(Chunks, InTheOrderOfCompletionToo) {
  const LedgerOf ledger(1000);
  Pool pool(small_pool());
  Outcomes all = outcomes_of(pool.map_unordered(ten_kill, up_to(1000), {.chunk = GetParam()}));
  std::sort(all.values.begin(), all.values.end());
  std::set<int> killers;
  for (int i = 50; i < 1000; i += 100) killers.insert(i);
  EXPECT_EQ(all.values, all_but(1000, killers));
  EXPECT_EQ(all.deaths.size(), 10U);
  ledger.expect_each_ran_once(1000);
}

INSTANTIATE_TEST_SUITE_P(P1, Chunks, ::testing::Values(1, 7, 51, 1000), ::testing::PrintToStringParamName());

TEST(P1Chunks, FirstAndLastElement) {
  Pool pool(small_pool());
  const auto ends_kill = [](int item) {
    if (item == 0 || item == 9) ::raise(SIGKILL);
    return item;
  };
  const Outcomes all = outcomes_of(pool.map(ends_kill, up_to(10), {.chunk = 10}));
  EXPECT_EQ(all.values, all_but(10, {0, 9}));
  EXPECT_EQ(all.deaths.size(), 2U);
}

TEST(P1Chunks, AllOfThem) {
  Pool pool(small_pool());
  const auto kill = [](int item) {
    ::raise(SIGKILL);
    return item;
  };
  const Outcomes all = outcomes_of(pool.map(kill, up_to(8), {.chunk = 8}));
  EXPECT_TRUE(all.values.empty());
  EXPECT_EQ(all.deaths.size(), 8U);
}

TEST(P1Chunks, AnElementThatThrowsCostsItselfOnly) {
  Pool pool(small_pool());
  const auto throws = [](int item) {
    if (item % 10 == 3) throw std::domain_error("three");
    if (item == 55) ::raise(SIGKILL);
    return item;
  };
  const Outcomes all = outcomes_of(pool.map(throws, up_to(100), {.chunk = 100}));
  EXPECT_EQ(all.values.size(), 89U);
  EXPECT_EQ(all.raised, 10);
  EXPECT_EQ(all.deaths.size(), 1U);
}

/// Kills who reads it.
struct Trap {
  int number = 0;
  template <class Archive>
  void save(Archive& ar) const {
    ar(number);
  }
  template <class Archive>
  void load(Archive& ar) {
    ar(number);
    if (number == 4) ::raise(SIGKILL);
  }
};

TEST(P1Chunks, AnElementThatKillsItsReader) {
  Pool pool(small_pool());
  std::vector<Trap> traps;
  for (int i = 0; i < 10; ++i) traps.push_back({i});
  const Outcomes all = outcomes_of(pool.map([](Trap trap) { return trap.number; }, traps, {.chunk = 10}));
  EXPECT_EQ(all.values, all_but(10, {4}));
  EXPECT_EQ(all.deaths.size(), 1U);
}

/// From a few bytes to more than the boxes hold, so that the results move from place to place.
std::string text_of(int item) {
  if (item == 90) ::raise(SIGKILL);
  return std::string(static_cast<std::size_t>(item) * static_cast<std::size_t>(item) * 10,
                     static_cast<char>('a' + item % 26));
}

TEST(P1Chunks, ResultsOfAnySizeAreKept) {
  Pool pool(small_pool());
  auto view = pool.map(text_of, up_to(100), {.chunk = 100});
  int item = 0;
  int deaths = 0;
  for (auto it = view.begin(); it != view.end(); ++it, ++item) {
    if (item == 90) {
      EXPECT_THROW(*it, WorkerDied);
      ++deaths;
      continue;
    }
    const std::string& text = *it;
    ASSERT_EQ(text.size(), static_cast<std::size_t>(item * item * 10)) << item;
    EXPECT_EQ(text.find_first_not_of(static_cast<char>('a' + item % 26)), std::string::npos) << item;
  }
  EXPECT_EQ(item, 100);
  EXPECT_EQ(deaths, 1);
}

Buffer buffer_of(int item) {
  if (item == 3) ::raise(SIGSEGV);
  Buffer buffer = Buffer::make(std::size_t{300} << 10);
  std::fill(buffer.data(), buffer.data() + buffer.size(), static_cast<std::byte>(item));
  return buffer;
}

TEST(P1Chunks, BuffersAreKept) {
  Pool pool(small_pool());
  auto view = pool.map(buffer_of, up_to(6), {.chunk = 6});
  int item = 0;
  for (auto it = view.begin(); it != view.end(); ++it, ++item) {
    if (item == 3) {
      EXPECT_THROW(*it, WorkerDied);
      continue;
    }
    const Buffer& buffer = *it;
    ASSERT_EQ(buffer.size(), std::size_t{300} << 10);
    EXPECT_EQ(buffer.data()[buffer.size() - 1], static_cast<std::byte>(item));
  }
  EXPECT_EQ(item, 6);
}

TEST(P1Chunks, AHungElementIsCutOut) {
  Pool pool(small_pool());
  MapOptions options;
  options.chunk = 20;
  options.task.timeout = std::chrono::milliseconds(200);
  const auto hangs = [](int item) {
    while (item == 7) ::pause();  // NOLINT(bugprone-infinite-loop): so it hangs
    return item;
  };
  const Outcomes all = outcomes_of(pool.map(hangs, up_to(20), options));
  EXPECT_EQ(all.values, all_but(20, {7}));
  ASSERT_EQ(all.deaths.size(), 1U);
  EXPECT_EQ(all.deaths[0].cause, Cause::deadline);
}

TEST(P1Chunks, TheTimeoutIsThatOfEachElement) {
  Pool pool(small_pool());
  MapOptions options;
  options.chunk = 10;
  options.task.timeout = std::chrono::milliseconds(400);
  const auto waits = [](int item) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(80);
    while (std::chrono::steady_clock::now() < until) {
    }
    return item;
  };
  EXPECT_EQ(outcomes_of(pool.map(waits, up_to(10), options)).values, up_to(10));  // 0.8 s together
}

/// Wherever in the writing of a result the worker dies, that result is not there, and all before it are.
TEST(P1Chunks, DeathInTheMiddleOfAResult) {
  ::setenv("HOTSPARE_CRASH_AT", "in_result:40:7", 1);
  const LedgerOf ledger(2000);
  {
    Pool pool(small_pool());
    const auto sized = [](int item) {
      LedgerOf::note(item);
      return std::string(static_cast<std::size_t>(item), static_cast<char>('a' + item % 26));
    };
    auto view = pool.map(sized, up_to(2000), {.chunk = 100});
    int item = 0;
    std::uint64_t deaths = 0;
    for (auto it = view.begin(); it != view.end(); ++it, ++item) {
      try {
        const std::string& text = *it;
        EXPECT_EQ(text, std::string(static_cast<std::size_t>(item), static_cast<char>('a' + item % 26)));
      } catch (const WorkerDied&) {
        ++deaths;
      }
    }
    EXPECT_EQ(item, 2000);
    EXPECT_GT(deaths, 10U);
  }
  ::unsetenv("HOTSPARE_CRASH_AT");
  ledger.expect_each_ran_once(2000);
}

}  // namespace
}  // namespace hotspare::testing
