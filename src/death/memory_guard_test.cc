#include "death/memory_guard.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace hotspare::death {
namespace {

constexpr std::uint64_t mb = 1 << 20;
using Users = std::vector<MemoryUser>;

TEST(MemoryGuard, ThereIsRoom) {
  const Users users{{100 * mb, 1}, {200 * mb, 2}};
  const MemoryVerdict verdict = judge_memory({.budget = 1000 * mb}, users, 50 * mb, 9 * mb);
  EXPECT_FALSE(verdict.hold);
  EXPECT_FALSE(verdict.end);
  EXPECT_EQ(verdict.look_again_ns, 50'000'000);
}

TEST(MemoryGuard, NearTheEndNothingNewBegins) {
  const Users users{{600 * mb, 1}, {300 * mb, 2}};
  const MemoryVerdict verdict = judge_memory({.budget = 1000 * mb}, users, 10 * mb, 0);
  EXPECT_TRUE(verdict.hold);
  EXPECT_FALSE(verdict.end);
  EXPECT_LT(verdict.look_again_ns, 50'000'000);
  EXPECT_GE(verdict.look_again_ns, 1'000'000);
}

TEST(MemoryGuard, TheNewestLargeOneMakesRoom) {
  const Users users{{600 * mb, 1}, {550 * mb, 5}, {20 * mb, 9}};
  const MemoryVerdict verdict = judge_memory({.budget = 1000 * mb}, users, 0, 0);
  EXPECT_TRUE(verdict.hold);
  EXPECT_EQ(verdict.end, 1U);
  EXPECT_EQ(verdict.look_again_ns, 1'000'000);
}

TEST(MemoryGuard, TheReserveOfTheMachine) {
  const Users users{{600 * mb, 1}};
  EXPECT_FALSE(judge_memory({.reserve = 100 * mb}, users, 0, 500 * mb).hold);
  EXPECT_TRUE(judge_memory({.reserve = 100 * mb}, users, 0, 120 * mb).hold);
  EXPECT_FALSE(judge_memory({.reserve = 100 * mb}, users, 0, 120 * mb).end);
  EXPECT_EQ(judge_memory({.reserve = 100 * mb}, users, 0, 99 * mb).end, 0U);
}

/// The host itself, or another program of the group, has taken it: no worker dies for that.
TEST(MemoryGuard, TheLastResortEndsOnlyThoseWhoseEndHelps) {
  const MemoryRule rule = last_resort(700 * mb);
  EXPECT_EQ(rule.reserve, 700 * mb / 16);
  EXPECT_EQ(judge_memory(rule, Users{{30 * mb, 1}, {400 * mb, 2}}, 0, 40 * mb).end, 1U);
  EXPECT_FALSE(judge_memory(rule, Users{{30 * mb, 1}, {20 * mb, 2}}, 0, 40 * mb).end);
  EXPECT_FALSE(judge_memory(rule, Users{{400 * mb, 1}}, 0, 50 * mb).end);
  EXPECT_EQ(last_resort(64 * mb).reserve, 8 * mb);
  EXPECT_EQ(last_resort(200 * mb).reserve, 16 * mb);
  EXPECT_EQ(last_resort(100'000 * mb).reserve, 512 * mb);
}

/// It keeps what it has freed, as allocators do.
TEST(MemoryGuard, TheOnlyOneDoesNotPayForIdleWorkers) {
  const Users users{{200 * mb, 1}};
  EXPECT_FALSE(judge_memory({.budget = 500 * mb}, users, 350 * mb, 0).end);
  EXPECT_TRUE(judge_memory({.budget = 500 * mb}, users, 350 * mb, 0).hold);
  EXPECT_TRUE(is_idle_hog(350 * mb, 550 * mb));
  EXPECT_FALSE(is_idle_hog(20 * mb, 550 * mb));
  const Users large{{501 * mb, 1}};
  EXPECT_EQ(judge_memory({.budget = 500 * mb}, large, 0, 0).end, 0U);
}

/// Others use it up: there is nobody of ours to end.
TEST(MemoryGuard, NobodyRuns) {
  const MemoryVerdict verdict = judge_memory({.reserve = 100 * mb}, {}, 0, 0);
  EXPECT_TRUE(verdict.hold);
  EXPECT_FALSE(verdict.end);
}

}  // namespace
}  // namespace hotspare::death
