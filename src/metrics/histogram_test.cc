#include "metrics/recorder.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace hotspare {
namespace {

using std::chrono::nanoseconds;

TEST(Histogram, BucketsMeetWithoutGaps) {
  for (std::size_t i = 0; i + 1 < Histogram::buckets; ++i) {
    EXPECT_EQ(Histogram::bucket_of(Histogram::top_of(i)), i);
    EXPECT_EQ(Histogram::bucket_of(Histogram::top_of(i) + 1), i + 1);
  }
}

TEST(Histogram, WhatIsTooLongCountsInTheLastBucket) {
  EXPECT_EQ(Histogram::bucket_of(std::numeric_limits<std::uint64_t>::max()), Histogram::buckets - 1);
}

TEST(Histogram, ABucketIsAnEighthOfAnOctaveAtMost) {
  for (std::size_t i = Histogram::per_octave; i + 1 < Histogram::buckets; ++i)
    EXPECT_LE(static_cast<double>(Histogram::top_of(i + 1)), 1.125 * static_cast<double>(Histogram::top_of(i) + 1));
}

TEST(Histogram, QuantilesOfOneToAThousand) {
  Histogram all;
  for (int us = 1; us <= 1000; ++us) all.add(std::chrono::microseconds(us));
  EXPECT_EQ(all.count(), 1000u);
  EXPECT_NEAR(static_cast<double>(all.quantile(0.5).count()), 500e3, 500e3 * 0.13);
  EXPECT_NEAR(static_cast<double>(all.quantile(0.99).count()), 990e3, 990e3 * 0.13);
  EXPECT_EQ(all.quantile(1), nanoseconds(1'000'000));
  EXPECT_EQ(all.max(), nanoseconds(1'000'000));
}

TEST(Histogram, NothingCountedIsNought) { EXPECT_EQ(Histogram().quantile(0.99), nanoseconds(0)); }

TEST(Recorder, CopyHasWhatWasAdded) {
  metrics::Recorder recorder;
  recorder.add(10);
  recorder.add(1000);
  recorder.add(-5);  // a clock of another core may be behind
  const Histogram copy = recorder.copy();
  EXPECT_EQ(copy.count(), 3u);
  EXPECT_EQ(copy.max(), nanoseconds(1000));
  EXPECT_EQ(copy.sum_ns, 1010u);
}

}  // namespace
}  // namespace hotspare
