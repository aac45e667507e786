#include "shm/pace.hpp"

#include <gtest/gtest.h>

namespace hotspare::shm {
namespace {

Pace after(int tasks, std::int64_t ns, Pace pace = {}) {
  for (int i = 0; i < tasks; ++i) pace.add(ns);
  return pace;
}

TEST(Pace, IsNotKnownBeforeTheFirstTask) { EXPECT_EQ(Pace{}.told(), 0u); }

TEST(Pace, IsTheFirstTask) { EXPECT_EQ(after(1, 1500).told(), 2048u); }

TEST(Pace, SettlesAtWhatTheTasksTake) {
  EXPECT_EQ(after(50, 700).told(), 1024u);
  EXPECT_EQ(after(50, 700, after(50, 40'000)).told(), 1024u);
  EXPECT_EQ(after(50, 40'000, after(50, 700)).told(), 65'536u);
}

TEST(Pace, OneLongTaskAmongBriefOnesIsSoonForgotten) {
  Pace pace = after(50, 700);
  pace.add(3'000'000'000);
  EXPECT_GT(pace.told(), 8'000u);
  EXPECT_LT(after(20, 700, pace).told(), 4'000u);
}

TEST(Pace, ClocksThatStandStillOrGoBackAreNoTaskAtAll) {
  EXPECT_EQ(after(1, 0).told(), 2u);
  EXPECT_EQ(after(1, -5).told(), 2u);
}

TEST(Pace, NothingIsTooLong) { EXPECT_EQ(after(3, INT64_MAX).told(), 131'072u); }

}  // namespace
}  // namespace hotspare::shm
