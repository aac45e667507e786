#include "task/retry.hpp"

#include <gtest/gtest.h>

#include <string>

namespace hotspare::task {
namespace {

using std::chrono::nanoseconds;

struct Row {
  const char* name;
  Retries policy;
  Reason reason;
  Attempts attempts;
  bool again;
};

class AllowsAnother : public testing::TestWithParam<Row> {};

TEST_P(AllowsAnother, Table) {
  const Row& row = GetParam();
  EXPECT_EQ(allows_another(row.policy, row.reason, row.attempts), row.again);
}

INSTANTIATE_TEST_SUITE_P(
    , AllowsAnother,
    testing::Values(Row{"NeverByDefault", {}, Reason::death, {1}, false},
                    Row{"NotEvenForMemoryByDefault", {}, Reason::memory, {1, 1}, false},
                    Row{"OnceMore", {.attempts = 2}, Reason::death, {1}, true},
                    Row{"NoMoreThanThat", {.attempts = 2}, Reason::death, {2}, false},
                    Row{"DeathsMayBeLeftOut", {.attempts = 2, .on_death = false}, Reason::death, {1}, false},
                    Row{"Timeouts", {.attempts = 2}, Reason::timeout, {1}, true},
                    Row{"TimeoutsMayBeLeftOut", {.attempts = 2, .on_timeout = false}, Reason::timeout, {1}, false},
                    Row{"ExceptionsOnlyIfAsked", {.attempts = 2}, Reason::exception, {1}, false},
                    Row{"Exceptions", {.attempts = 2, .on_exception = true}, Reason::exception, {1}, true},
                    Row{"ACancelledOneNever", {.attempts = 9}, Reason::planned, {1}, false},
                    Row{"MemoryHasItsOwnBudget", {.attempts = 2}, Reason::memory, {2, 1}, true},
                    Row{"AndNoMore", {.attempts = 9}, Reason::memory, {2, 2}, false},
                    Row{"WhichMayBeNothing", {.attempts = 9, .memory_attempts = 0}, Reason::memory, {1, 1}, false},
                    Row{"DeathsForMemoryCostNoOtherAttempt", {.attempts = 2}, Reason::death, {2, 1}, true}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(NextPause, LiesBetweenBaseAndThreeTimesTheLastOne) {
  const Retries policy{.base = nanoseconds(100), .cap = nanoseconds(5000)};
  EXPECT_EQ(next_pause(policy, 0, 0.0), 100);
  EXPECT_EQ(next_pause(policy, 0, 0.5), 200);
  EXPECT_LE(next_pause(policy, 0, 0.999), 300);
  EXPECT_EQ(next_pause(policy, 200, 0.0), 100);
  EXPECT_EQ(next_pause(policy, 200, 0.5), 350);
  EXPECT_EQ(next_pause(policy, 1'000'000, 0.5), 5000);
}

TEST(NextPause, StrangeRules) {
  EXPECT_EQ(next_pause({.base = nanoseconds(0)}, 500, 0.9), 0);
  EXPECT_EQ(next_pause({.base = nanoseconds(-7)}, 500, 0.9), 0);
  EXPECT_EQ(next_pause({.base = nanoseconds(100), .cap = nanoseconds(10)}, 0, 0.9), 10);
  EXPECT_GT(next_pause({.base = nanoseconds::max(), .cap = nanoseconds::max()}, nanoseconds::max().count(), 0.9), 0);
}

TEST(Budget, ARunOfRetriesUsesItUp) {
  Budget budget({.tokens = 3, .per_value = 0.5});
  EXPECT_TRUE(budget.take());
  EXPECT_TRUE(budget.take());
  EXPECT_TRUE(budget.take());
  EXPECT_FALSE(budget.take());
  budget.a_value();
  EXPECT_FALSE(budget.take());
  budget.a_value();
  EXPECT_TRUE(budget.take());
  for (int i = 0; i < 100; ++i) budget.a_value();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(budget.take());
  EXPECT_FALSE(budget.take());
}

TEST(Reason, OfEveryCause) {
  EXPECT_EQ(reason_of(Cause::signal), Reason::death);
  EXPECT_EQ(reason_of(Cause::deadline), Reason::timeout);
  EXPECT_EQ(reason_of(Cause::memory_limit), Reason::memory);
  EXPECT_EQ(reason_of(Cause::out_of_memory), Reason::memory);
  EXPECT_EQ(reason_of(Cause::cancelled), Reason::planned);
  EXPECT_EQ(reason_of(Cause::unknown), Reason::death);
}

}  // namespace
}  // namespace hotspare::task
