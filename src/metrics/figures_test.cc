#include "metrics/figures.hpp"

#include <gtest/gtest.h>

namespace hotspare::metrics {
namespace {

TEST(Figures, OfChannelsAddUp) {
  StandbyStats one{.deaths = 2, .unavailable = {"no rights", "no room"}};
  StandbyStats two{.deaths = 3, .in_step = 2, .unavailable = {"no rights"}};
  one.takeover.add(std::chrono::nanoseconds(5));
  two.takeover.add(std::chrono::nanoseconds(9));
  two.deaths_by_cause[1] = 3;
  add(one, two);
  EXPECT_EQ(one.deaths, 5u);
  EXPECT_EQ(one.deaths_by_cause[1], 3u);
  EXPECT_EQ(one.in_step, 2u);
  EXPECT_EQ(one.takeover.count(), 2u);
  EXPECT_EQ(one.takeover.sum_ns, 14u);
  EXPECT_EQ(one.takeover.max_ns, 9u);
  EXPECT_EQ(one.unavailable, (std::vector<std::string>{"no rights", "no room"}));
  forget_gauges(one);
  EXPECT_EQ(one.deaths, 5u);
  EXPECT_EQ(one.in_step, 0u);
  EXPECT_TRUE(one.unavailable.empty());
}

TEST(Figures, OfPeaksTheHighestCounts) {
  Stats one{.peak_unsettled = 9};
  add(one, Stats{.peak_unsettled = 7});
  EXPECT_EQ(one.peak_unsettled, 9u);
  forget_gauges(one);
  EXPECT_EQ(one.peak_unsettled, 9u);
}

}  // namespace
}  // namespace hotspare::metrics
