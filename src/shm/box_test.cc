#include "shm/box.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <random>

namespace hotspare::shm {
namespace {

constexpr std::size_t capacity = 4096;

TEST(Box, PlacesAreAlignedAndInOrder) {
  const auto first = place_in_box(0, 0, 100, capacity);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->start, 0u);
  EXPECT_EQ(first->end, 100u);
  const auto second = place_in_box(first->end, 0, 1, capacity);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->start, 128u);
}

TEST(Box, APayloadNeverWraps) {
  const auto place = place_in_box(4000, 4000, 200, capacity);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->start, capacity);  // the rest of the lap is left empty
}

TEST(Box, FullUntilFreed) {
  EXPECT_FALSE(place_in_box(4000, 0, 200, capacity));
  EXPECT_FALSE(place_in_box(4000, 100, 200, capacity));
  EXPECT_TRUE(place_in_box(4000, 200, 200, capacity));
}

TEST(Box, WhatFitsExactlyFitsAndWhatDoesNotNever) {
  EXPECT_TRUE(place_in_box(0, 0, capacity, capacity));
  EXPECT_TRUE(place_in_box(capacity, capacity, capacity, capacity));
  EXPECT_FALSE(place_in_box(0, 0, capacity + 1, capacity));
  EXPECT_TRUE(place_in_box(64, 64, 0, capacity));
}

/// Whatever the sizes: an empty box takes anything up to half its size wherever it stands, or a writer would wait for ever.
TEST(Box, AnEmptyBoxTakesAQuarterAnywhere) {
  for (std::uint64_t at = 0; at < 2 * capacity; ++at)
    for (const std::size_t size : {std::size_t{1}, capacity / 4, capacity / 2})
      EXPECT_TRUE(place_in_box(at, at, size, capacity)) << at << " " << size;
}

/// Random traffic against a plain model: no two payloads that live at the same time share a byte.
TEST(Box, LivePayloadsNeverOverlap) {
  std::mt19937 random(7);
  std::deque<BoxPlace> live;
  std::uint64_t filled = 0;
  std::uint64_t freed = 0;
  int placed = 0;
  for (int step = 0; step < 100'000; ++step) {
    if (random() % 2 == 0 && !live.empty()) {
      freed = live.front().end;
      live.pop_front();
      continue;
    }
    const std::size_t size = random() % (capacity / 4) + 1;
    const auto place = place_in_box(filled, freed, size, capacity);
    if (!place) {
      ASSERT_FALSE(live.empty()) << "an empty box refused " << size;
      continue;
    }
    ++placed;
    EXPECT_EQ(place->start % 64, 0u);
    EXPECT_EQ(place->end - place->start, size);
    const std::uint64_t low = place->start % capacity;
    EXPECT_LE(low + size, capacity);
    for (const BoxPlace& other : live) {
      const std::uint64_t other_low = other.start % capacity;
      EXPECT_TRUE(low + size <= other_low || other_low + (other.end - other.start) <= low);
    }
    live.push_back(*place);
    filled = place->end;
  }
  EXPECT_GT(placed, 10'000);
}

}  // namespace
}  // namespace hotspare::shm
