#include "registry/decide.hpp"

#include <gtest/gtest.h>

namespace hotspare::registry {
namespace {

using os::Locked;

TEST(RegistryDecide, TheLockSaysWhetherASegmentIsUsed) {
  EXPECT_EQ(state_of(Locked::shared), SegmentState::used);
  EXPECT_EQ(state_of(Locked::no), SegmentState::orphaned);
  EXPECT_EQ(state_of(Locked::alone), SegmentState::orphaned);
}

TEST(RegistryDecide, WhatBecomesOfANameThatIsTaken) {
  struct Row {
    bool got;
    bool still_named;
    Locked others;
    Taken expected;
  };
  for (const Row& row : {Row{true, true, Locked::no, Taken::remove}, Row{true, false, Locked::no, Taken::again},
                         Row{false, true, Locked::shared, Taken::refuse}, Row{false, true, Locked::alone, Taken::wait},
                         Row{false, false, Locked::alone, Taken::wait}, Row{false, true, Locked::no, Taken::again}})
    EXPECT_EQ(decide_taken(row.got, row.still_named, row.others), row.expected)
        << row.got << row.still_named << static_cast<int>(row.others);
}

TEST(RegistryDecide, WhatCollectMayRemove) {
  EXPECT_TRUE(may_collect(SegmentState::orphaned, false));
  EXPECT_FALSE(may_collect(SegmentState::orphaned, true));
  for (const SegmentState state : {SegmentState::used, SegmentState::damaged, SegmentState::unregistered})
    EXPECT_FALSE(may_collect(state, false));
  for (int bits = 0; bits < 8; ++bits) {
    const bool wished = (bits & 1) != 0;
    const bool has_users = (bits & 2) != 0;
    const bool users_known = (bits & 4) != 0;
    EXPECT_EQ(may_collect_unregistered(wished, has_users, users_known), bits == 5) << bits;
  }
}

}  // namespace
}  // namespace hotspare::registry
