#include "journal/grouping.hpp"

#include <gtest/gtest.h>

namespace hotspare::journal {
namespace {

TEST(Grouping, Table) {
  constexpr std::int64_t us = 1000;
  EXPECT_EQ(linger_ns(1, 100, 500 * us), 3500 * us);   // tasks of 1 ms on two workers
  EXPECT_EQ(linger_ns(1, 100, 1000 * us), 5000 * us);  // no longer than that
  EXPECT_EQ(linger_ns(1, 100, 10 * us), 70 * us);      // quick ones are soon there
  EXPECT_EQ(linger_ns(8, 100, 500 * us), 0);           // there are enough
  EXPECT_EQ(linger_ns(1, 10, 500 * us), 0);            // somebody may be waiting for this one
  EXPECT_EQ(linger_ns(1, 100, 10'000 * us), 0);        // slow tasks: none would come
}

}  // namespace
}  // namespace hotspare::journal
