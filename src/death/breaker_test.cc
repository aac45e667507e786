#include "death/breaker.hpp"

#include <gtest/gtest.h>

namespace hotspare::death {
namespace {

TEST(Breaker, OpensAtSoManyInARow) {
  Breaker breaker(3);
  EXPECT_FALSE(breaker.died_before_ready());
  EXPECT_FALSE(breaker.died_before_ready());
  EXPECT_TRUE(breaker.died_before_ready());
  EXPECT_TRUE(breaker.died_before_ready());  // and stays open
  EXPECT_EQ(breaker.in_a_row(), 4u);
}

TEST(Breaker, OneThatGetsReadyStartsTheCountAnew) {
  Breaker breaker(2);
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(breaker.died_before_ready());
    breaker.worker_ready();
    EXPECT_EQ(breaker.in_a_row(), 0u);
  }
}

TEST(Breaker, OneMayBeEnough) { EXPECT_TRUE(Breaker(1).died_before_ready()); }

}  // namespace
}  // namespace hotspare::death
