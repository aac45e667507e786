#include "shm/arena.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

namespace hotspare::shm {
namespace {

constexpr std::size_t kilobyte = 1024;

class ArenaTest : public ::testing::Test {
 protected:
  std::shared_ptr<Arena> arena = std::make_shared<Arena>(1024 * kilobyte, 100);

  detail::SegmentRef take(std::size_t size, std::uint64_t writer = 0) {
    auto made = arena->allocate(size, writer);
    EXPECT_TRUE(made);
    return std::move(*made);
  }
};

TEST_F(ArenaTest, WhatComesBackIsLentAgain) {
  auto first = take(100 * kilobyte);
  const std::uint64_t id = first->id();
  EXPECT_GE(first->size(), 100 * kilobyte);
  auto second = take(100 * kilobyte);
  EXPECT_NE(second->id(), id);
  first.reset();
  EXPECT_TRUE(arena->exists(id));
  EXPECT_EQ(take(90 * kilobyte)->id(), id);
}

TEST_F(ArenaTest, ALargeOneIsNotWastedOnASmallWish) {
  const std::uint64_t id = take(800 * kilobyte)->id();
  EXPECT_NE(take(100 * kilobyte)->id(), id);
  EXPECT_EQ(take(600 * kilobyte)->id(), id);
}

/// What a living worker may write is lent to nobody else: it could write there at any time.
TEST_F(ArenaTest, AWorkersSegmentIsLentToItAlone) {
  const std::uint64_t id = take(100 * kilobyte, 7)->id();
  EXPECT_NE(take(100 * kilobyte, 8)->id(), id);
  EXPECT_NE(take(100 * kilobyte, 0)->id(), id);
  EXPECT_EQ(take(100 * kilobyte, 7)->id(), id);
  arena->writer_gone(7);
  auto for_host = take(100 * kilobyte, 0);
  auto for_nine = take(100 * kilobyte, 9);
  EXPECT_TRUE(for_host->id() == id || for_nine->id() == id);
}

/// Its writer died while the host still held it.
TEST_F(ArenaTest, ComingBackAfterItsWritersDeathItIsFree) {
  auto held = take(100 * kilobyte, 7);
  const std::uint64_t id = held->id();
  arena->writer_gone(7);
  held.reset();
  EXPECT_EQ(take(100 * kilobyte, 0)->id(), id);
}

TEST_F(ArenaTest, WarmMemoryIsBounded) {
  std::vector<detail::SegmentRef> held;
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 20; ++i) held.push_back(take(256 * kilobyte));
  for (const auto& segment : held) ids.push_back(segment->id());
  EXPECT_EQ(arena->bytes(), 20 * 256 * kilobyte);
  held.clear();
  EXPECT_EQ(arena->bytes(), 1024 * kilobyte);
  EXPECT_FALSE(arena->exists(ids.front()));  // the oldest went first
  EXPECT_TRUE(arena->exists(ids.back()));
  take(5000 * kilobyte);
  EXPECT_EQ(arena->bytes(), 0u);  // larger than the bound: it is not kept, and those before it had to go
}

TEST_F(ArenaTest, ASegmentOutlivesTheArenasOwner) {
  auto held = take(64 * kilobyte);
  const std::weak_ptr<Arena> watch = arena;
  arena.reset();
  std::memset(held->data(), 1, held->size());
  EXPECT_FALSE(watch.expired());
  held.reset();
  EXPECT_TRUE(watch.expired());
}

TEST_F(ArenaTest, ImpossibleSizesAreFailures) {
  EXPECT_FALSE(arena->allocate(~std::size_t{0}, 0));
  EXPECT_FALSE(arena->allocate(~std::size_t{0} - 70'000, 0));
  EXPECT_EQ(arena->bytes(), 0u);
  EXPECT_TRUE(arena->allocate(0, 0));
}

TEST_F(ArenaTest, ManyThreads) {
  std::vector<std::thread> threads;
  for (std::uint64_t part = 1; part <= 4; ++part) {
    threads.emplace_back([&, part] {
      for (std::size_t i = 1; i < 200; ++i) {
        auto segment = take(i * 1000, part % 2 == 0 ? part : 0);
        std::memset(segment->data(), static_cast<int>(part), 1000);
        EXPECT_EQ(static_cast<std::uint64_t>(segment->data()[999]), part);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace hotspare::shm
