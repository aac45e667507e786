#include "task/limits.hpp"

#include <gtest/gtest.h>

#include <string>

namespace hotspare::task {

/// For GoogleTest's messages.
void PrintTo(Step::Kind kind, std::ostream* out) { *out << static_cast<int>(kind); }

namespace {

using Kind = Step::Kind;

struct Row {
  const char* name;
  Limits limits;
  Running running;
  Kind kind;
  std::int64_t again_at;
  std::int64_t due_at = 0;
};

class NextStep : public testing::TestWithParam<Row> {};

/// All of them at the time 1000.
TEST_P(NextStep, Table) {
  const Row& row = GetParam();
  const Step step = next_step(1000, row.running, row.limits);
  EXPECT_EQ(step.kind, row.kind);
  EXPECT_EQ(step.again_at, row.again_at);
  EXPECT_EQ(step.due_at, row.due_at);
}

INSTANTIATE_TEST_SUITE_P(
    , NextStep,
    testing::Values(
        Row{"NoLimit", {}, {1}, Kind::nothing, 0}, Row{"HardNotYet", {.hard = 10}, {991}, Kind::nothing, 1001},
        Row{"HardNow", {.hard = 10}, {990}, Kind::end_hard, 0, 1000},
        Row{"HardLongAgo", {.hard = 10}, {1}, Kind::end_hard, 0, 11},
        Row{"HardHasOnlyJustBegun", {.hard = 10}, {0}, Kind::nothing, 1010},
        Row{"HardBegunInTheFuture", {.hard = 10}, {2000}, Kind::nothing, 1010},
        Row{"HardBegunBeforeTime", {.hard = 10}, {-5}, Kind::nothing, 1010},
        Row{"SilentSinceItsBegin", {.progress = 10}, {990}, Kind::end_silent, 0, 1000},
        Row{"SpokeInTime", {.progress = 10}, {900, 995}, Kind::nothing, 1005},
        Row{"SilentSinceItSpoke", {.progress = 10}, {900, 990}, Kind::end_silent, 0, 1000},
        Row{"SpokeBeforeItBegan", {.progress = 10}, {995, 900}, Kind::nothing, 1005},
        Row{"SpokeInTheFuture", {.progress = 10}, {990, 5000}, Kind::end_silent, 0, 1000},
        Row{"TheEarlierOfTwoIsLookedAt", {.hard = 100, .progress = 10}, {995, 999}, Kind::nothing, 1009},
        Row{"TheHardOneBeforeSilence", {.hard = 10, .progress = 5}, {990}, Kind::end_hard, 0, 1000},
        Row{"SoftNotYet", {.soft = 20, .grace = 5}, {990}, Kind::nothing, 1010},
        Row{"SoftNow", {.soft = 10, .grace = 5}, {990}, Kind::ask_to_stop, 1005},
        Row{"SoftAndItsGraceLongAgo", {.soft = 10, .grace = 5}, {1}, Kind::ask_to_stop, 1000},
        Row{"InItsGrace", {.soft = 30, .grace = 20}, {965, 0, true}, Kind::nothing, 1015},
        Row{"InALongGraceTheNextElementMayBegin", {.soft = 10, .grace = 99}, {990, 0, true}, Kind::nothing, 1010},
        Row{"ItsGraceIsOver", {.soft = 10, .grace = 5}, {980, 0, true}, Kind::end_soft, 0, 995},
        Row{"TheHardOneWithinTheGrace", {.hard = 15, .soft = 10, .grace = 50}, {985, 0, true}, Kind::end_hard, 0, 1000},
        Row{"TheHardOneBeforeTheSoft", {.hard = 5, .soft = 10, .grace = 50}, {996}, Kind::nothing, 1001}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Limits, TheShortestOfThem) {
  EXPECT_EQ(Limits{}.shortest(), 0);
  EXPECT_FALSE(Limits{}.any());
  EXPECT_FALSE(Limits{.grace = 5}.any());
  EXPECT_EQ((Limits{.hard = 3, .soft = 2, .progress = 4}.shortest()), 2);
  EXPECT_EQ((Limits{.hard = 3, .progress = 4}.shortest()), 3);
}

/// Whatever the user says: the next look lies in the future, or the loop that looks would never leave.
TEST(Limits, ExtremeOnesCanBeAdded) {
  using std::chrono::nanoseconds;
  constexpr std::int64_t uptime = 3'000'000'000'000'000;  // some 35 days
  EXPECT_EQ(limit_of(nanoseconds(0)), 0);
  for (const nanoseconds wanted : {nanoseconds::max(), nanoseconds::min(), nanoseconds(-1), nanoseconds(1)}) {
    const std::int64_t limit = limit_of(wanted);
    EXPECT_GT(limit, 0);
    EXPECT_GT(next_step(uptime, {}, {.hard = limit}).again_at, uptime);
    EXPECT_GT(next_step(uptime, {}, {.soft = limit, .grace = limit}).again_at, uptime);
  }
}

}  // namespace
}  // namespace hotspare::task
