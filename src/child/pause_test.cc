#include "child/pause.hpp"

#include <gtest/gtest.h>

namespace hotspare::child {
namespace {

TEST(Pause, GrowsUpToItsLimitAndEndsWithSuccess) {
  Pause pause;
  EXPECT_EQ(pause.until(), 0);
  std::int64_t now = 1'000;
  std::int64_t before = 0;
  for (int refusal = 0; refusal < 20; ++refusal) {
    pause.refused(now);
    const std::int64_t length = pause.until() - now;
    EXPECT_GE(length, before);
    EXPECT_LE(length, Pause::most_ns);
    before = length;
    EXPECT_EQ(pause.since(), 1'000);
    now = pause.until();
    pause.over();
    EXPECT_EQ(pause.until(), 0);
  }
  EXPECT_EQ(before, Pause::most_ns);
  pause.succeeded();
  EXPECT_EQ(pause.since(), 0);
  pause.refused(now);
  EXPECT_EQ(pause.until(), now + Pause::first_ns);
}

}  // namespace
}  // namespace hotspare::child
