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

TEST(Spread, WhoLooksAfterResultsWatchesAFewOnly) {
  EXPECT_EQ(watchers(1), 0u);
  EXPECT_EQ(watchers(few_words), 0u);
  EXPECT_EQ(watchers(few_words + 1), 1u);
  for (std::size_t workers = few_words + 1; workers < 5000; ++workers)
    EXPECT_GE(watchers(workers) * words_per_listener, 2 * workers) << workers;
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
