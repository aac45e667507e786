#include "shm/spin.hpp"

#include <gtest/gtest.h>

namespace hotspare::shm {
namespace {

TEST(SpinBudget, SeesWhatIsThereWithoutSpinning) {
  SpinBudget alone(false);
  int looks = 0;
  EXPECT_TRUE(alone.spin_until([&] { return ++looks == 1; }));
  EXPECT_EQ(looks, 1);
}

/// With one core nobody else can change the word while we look at it.
TEST(SpinBudget, LooksOnceWithoutAnotherCore) {
  SpinBudget alone(false);
  for (int i = 0; i < 100; ++i) {
    int looks = 0;
    EXPECT_FALSE(alone.spin_until([&] {
      ++looks;
      return false;
    }));
    EXPECT_EQ(looks, 1);
  }
}

TEST(SpinBudget, GivesUpWhatDoesNotPayAndComesBack) {
  SpinBudget spin(true);
  int long_looks = 0;
  for (int i = 0; i < 200; ++i) {
    int looks = 0;
    EXPECT_FALSE(spin.spin_until([&] {
      ++looks;
      return false;
    }));
    if (looks > 1) ++long_looks;
  }
  EXPECT_GT(long_looks, 4);   // the credit, and one try now and then
  EXPECT_LT(long_looks, 40);  // no more
  // It pays again: found within the spin, at the latest at the next try.
  int found = 0;
  for (int i = 0; i < 200; ++i) {
    int looks = 0;
    if (spin.spin_until([&] { return ++looks == 3; })) ++found;
  }
  EXPECT_GT(found, 150);
}

}  // namespace
}  // namespace hotspare::shm
