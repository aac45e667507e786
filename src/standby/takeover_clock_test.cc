#include "standby/takeover_clock.hpp"

#include <gtest/gtest.h>

namespace hotspare::standby {
namespace {

TEST(TakeoverClock, FromTheNoticeToTheAnswerOfTheBlockUnderWay) {
  TakeoverClock clock;
  clock.noticed(120);
  clock.block_over(100, 150, true);
  EXPECT_EQ(clock.copy().count(), 1u);
  EXPECT_EQ(clock.copy().sum_ns, 30u);
}

TEST(TakeoverClock, WhileNoBlockIsUnderWayNothingIsLost) {
  TakeoverClock clock;
  clock.noticed(50);
  clock.block_over(1000, 1007, true);
  EXPECT_EQ(clock.copy().sum_ns, 7u);
}

TEST(TakeoverClock, LateBlocksAreWaitedThrough) {
  TakeoverClock clock;
  clock.noticed(120);
  clock.block_over(100, 200, false);
  clock.block_over(200, 300, false);
  EXPECT_EQ(clock.copy().count(), 0u);
  clock.block_over(300, 310, true);
  EXPECT_EQ(clock.copy().count(), 1u);
  EXPECT_EQ(clock.copy().sum_ns, 190u);
}

TEST(TakeoverClock, NoticedAfterTheAnswerItIsTheNextBlocks) {
  TakeoverClock clock;
  clock.noticed(160);
  clock.block_over(100, 150, true);
  EXPECT_EQ(clock.copy().count(), 0u);
  clock.block_over(200, 205, true);
  EXPECT_EQ(clock.copy().sum_ns, 5u);
}

TEST(TakeoverClock, EachCountsForItself) {
  TakeoverClock clock;
  clock.noticed(110);
  clock.noticed(120);
  clock.block_over(100, 150, true);
  clock.block_over(200, 201, true);
  EXPECT_EQ(clock.copy().count(), 2u);
  EXPECT_EQ(clock.copy().sum_ns, 70u);
}

TEST(TakeoverClock, ManyBetweenTwoAnswersAllCount) {
  TakeoverClock clock;
  for (int i = 0; i < 1000; ++i) clock.noticed(100 + i);
  clock.block_over(0, 2000, false);
  for (int i = 0; i < 1000; ++i) clock.noticed(3000 + i);
  clock.block_over(2000, 5000, true);
  EXPECT_EQ(clock.copy().count(), 2000u);
}

}  // namespace
}  // namespace hotspare::standby
