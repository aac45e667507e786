#include "samples.hpp"

#include <gtest/gtest.h>

namespace bench {
namespace {

TEST(Samples, NearestRank) {
  Samples samples;
  for (int i = 100; i >= 1; --i) samples.add(i);
  EXPECT_EQ(samples.p50(), 50);
  EXPECT_EQ(samples.p99(), 99);
  EXPECT_EQ(samples.percentile(100), 100);
  EXPECT_EQ(samples.percentile(0), 1);
}

TEST(Samples, OddNumberGivesTheMiddleOne) {
  Samples samples;
  for (const int value : {7, 1, 9, 3, 5}) samples.add(value);
  EXPECT_EQ(samples.p50(), 5);
  EXPECT_EQ(samples.p99(), 9);
}

TEST(Samples, OneAndNone) {
  Samples samples;
  EXPECT_EQ(samples.p50(), 0);
  samples.add(4);
  EXPECT_EQ(samples.p50(), 4);
  EXPECT_EQ(samples.p99(), 4);
}

}  // namespace
}  // namespace bench
