#include "death/spread.hpp"

#include <gtest/gtest.h>
#include <vector>

namespace hotspare::death {
namespace {

TEST(Spread, TheOneWithTheFewestGetsTheNext) {
  EXPECT_EQ(least_loaded(std::vector<std::size_t>{3, 1, 2}), 1u);
  EXPECT_EQ(least_loaded(std::vector<std::size_t>{0}), 0u);
  EXPECT_EQ(least_loaded(std::vector<std::size_t>{words_per_listener, words_per_listener - 1}), 1u);
}

TEST(Spread, NeverMoreThanOneCanWatch) {
  EXPECT_EQ(least_loaded({}), std::nullopt);
  EXPECT_EQ(least_loaded(std::vector<std::size_t>{words_per_listener, words_per_listener}), std::nullopt);
}

/// Whichever of many die, no listener has more than its share.
TEST(Spread, StaysEvenWhoeverDies) {
  std::vector<std::size_t> words(3);
  for (int round = 0; round < 1000; ++round) {
    if (const auto next = least_loaded(words)) ++words[*next];
    if (round % 3 == 0 && words[0] > 0) --words[0];  // always the same one's
  }
  for (const std::size_t each : words) EXPECT_LE(each, words_per_listener);
}

}  // namespace
}  // namespace hotspare::death
