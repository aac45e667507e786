#include "os/clock.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace hotspare::os {
namespace {

using std::chrono::nanoseconds;
using Instant = std::chrono::steady_clock::time_point;

TEST(BoundedTimes, CanBeAddedAndMultiplied) {
  EXPECT_EQ(bounded_ns(nanoseconds(5)), 5);
  EXPECT_EQ(bounded_ns(nanoseconds(-5)), -5);
  EXPECT_EQ(bounded_ns(nanoseconds::max()), longest_ns);
  EXPECT_EQ(bounded_ns(nanoseconds::min()), -longest_ns);
  EXPECT_GT(std::numeric_limits<std::int64_t>::max() / longest_ns, 20);
}

TEST(BoundedTimes, InstantsAreNeverNegative) {
  EXPECT_EQ(bounded_instant(Instant(nanoseconds(7))), 7);
  EXPECT_EQ(bounded_instant(Instant(nanoseconds(-1))), 0);
  EXPECT_EQ(bounded_instant(Instant::min()), 0);
  EXPECT_GT(bounded_instant(Instant::max()), bounded_instant(Instant::max()) / 2);
  EXPECT_LT(bounded_instant(Instant::max()), std::numeric_limits<std::int64_t>::max() - longest_ns);
}

}  // namespace
}  // namespace hotspare::os
