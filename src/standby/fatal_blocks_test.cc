#include "standby/fatal_blocks.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace hotspare::standby {
namespace {

TEST(FatalBlocks, TwoDeathsOfItsOwnOrFourKillsFromOutside) {
  FatalBlocks blocks;
  EXPECT_FALSE(blocks.died_in(7, Blame::its_own));
  EXPECT_TRUE(blocks.has_killed(7));
  EXPECT_FALSE(blocks.died_in(8, Blame::its_own));
  EXPECT_TRUE(blocks.died_in(7, Blame::its_own)) << "another one came between";
  for (int kill = 0; kill < 3; ++kill) EXPECT_FALSE(blocks.died_in(9, Blame::from_outside));
  EXPECT_TRUE(blocks.died_in(9, Blame::from_outside));
  for (int strike = 0; strike < 10; ++strike) EXPECT_FALSE(blocks.died_in(10, Blame::none));
}

TEST(FatalBlocks, RemembersTheLatestOnly) {
  FatalBlocks blocks;
  for (std::uint64_t block = 1; block <= 1000; ++block) EXPECT_FALSE(blocks.died_in(block, Blame::its_own));
  EXPECT_FALSE(blocks.has_killed(1));
  EXPECT_TRUE(blocks.has_killed(1000));
}

TEST(StandOf, EachWhoLives) {
  EXPECT_EQ(stand_of({.done = 6, .begun = 6}, 7, false), Stand::before);
  EXPECT_EQ(stand_of({.done = 6, .begun = 7}, 7, false), Stand::unknown) << "in it";
  EXPECT_EQ(stand_of({.done = 7, .begun = 7}, 7, false), Stand::has_it);
  EXPECT_EQ(stand_of({.done = 9}, 7, false), Stand::has_it) << "an heir of one that has it";
  EXPECT_EQ(stand_of({}, 7, true), Stand::unknown) << "the state that it loads may have it";
}

TEST(DecideAboutABlock, AsThoseWhoLiveDo) {
  using S = Stand;
  EXPECT_EQ(decide_about(std::vector<Stand>{}), Decision::leave_out);
  EXPECT_EQ(decide_about(std::vector{S::before, S::before}), Decision::leave_out);
  EXPECT_EQ(decide_about(std::vector{S::before, S::unknown}), Decision::wait);
  EXPECT_EQ(decide_about(std::vector{S::unknown, S::has_it}), Decision::keep);
  EXPECT_EQ(decide_about(std::vector{S::before, S::has_it}), Decision::keep);
}

}  // namespace
}  // namespace hotspare::standby
