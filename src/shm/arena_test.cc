#include "shm/arena.hpp"

#include "os/clock.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace hotspare::shm {
namespace {

constexpr std::size_t kilobyte = 1024;

class ArenaTest : public ::testing::Test {
 protected:
  static constexpr ArenaLimits limits{.bytes = 100'000 * kilobyte,
                                      .warm_bytes = 1024 * kilobyte,
                                      .warm = 12,
                                      .idle_bytes = 1024 * kilobyte,
                                      .idle = 8,
                                      .warm_for_ns = 1'000'000'000};
  std::shared_ptr<Arena> arena = std::make_shared<Arena>(limits);

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
}

/// What it left behind, a child say, could write there still.
TEST_F(ArenaTest, AWorkersSegmentIsGoneWithIt) {
  const std::uint64_t id = take(100 * kilobyte, 7)->id();
  auto held = take(100 * kilobyte, 7);
  EXPECT_EQ(held->id(), id);
  auto warm = take(100 * kilobyte, 7);
  const std::uint64_t other = warm->id();
  warm.reset();
  arena->writer_gone(7);
  EXPECT_FALSE(arena->exists(other));
  EXPECT_TRUE(arena->exists(id)) << "the host still holds it";
  held.reset();
  EXPECT_FALSE(arena->exists(id));
  EXPECT_EQ(arena->bytes(), 0u);
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

TEST_F(ArenaTest, WarmSegmentsAreBoundedInNumber) {
  auto other = take(64 * kilobyte);
  std::vector<detail::SegmentRef> held;
  for (int i = 0; i < 50; ++i) held.push_back(take(1));
  held.clear();
  EXPECT_EQ(arena->bytes(), 13 * 64 * kilobyte);
  other.reset();
  EXPECT_EQ(arena->bytes(), 8 * 64 * kilobyte) << "fewer while all are back";
}

TEST_F(ArenaTest, AllOfThemAreBoundedInBytes) {
  auto most = take(99'000 * kilobyte);
  auto refused = arena->allocate(2000 * kilobyte, 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.failure().code, ENOMEM);
  EXPECT_NE(refused.failure().text().find("in use"), std::string::npos);
  EXPECT_TRUE(arena->allocate(900 * kilobyte, 7));
  EXPECT_FALSE(arena->allocate(2000 * kilobyte, 7));
  most.reset();
  EXPECT_TRUE(arena->allocate(2000 * kilobyte, 0));
}

TEST_F(ArenaTest, WarmMemoryThatNobodyWantsIsGivenBack) {
  int calls = 0;
  arena->on_warm([&] { ++calls; });
  auto first = take(64 * kilobyte);
  auto second = take(64 * kilobyte);
  first.reset();
  EXPECT_EQ(calls, 1);
  const std::int64_t now = os::monotonic_ns();
  const std::int64_t again = arena->trim(now);
  EXPECT_GT(again, now);
  second.reset();
  EXPECT_EQ(calls, 1) << "somebody comes already";
  EXPECT_EQ(arena->bytes(), 2 * 64 * kilobyte);
  EXPECT_EQ(arena->trim(os::monotonic_ns() + limits.warm_for_ns), 0);
  EXPECT_EQ(arena->bytes(), 0u);
  take(64 * kilobyte);
  EXPECT_EQ(calls, 2);
}

TEST_F(ArenaTest, NothingIsWarmAfterClose) {
  auto held = take(64 * kilobyte);
  take(64 * kilobyte);
  arena->close();
  EXPECT_EQ(arena->bytes(), 64 * kilobyte);
  std::memset(held->data(), 1, held->size());
  held.reset();
  EXPECT_EQ(arena->bytes(), 0u);
}

/// Runs it in a fork of this process.
template <class F>
int in_fork(F run) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(run());
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

TEST_F(ArenaTest, AForkThatDropsItsCopiesTakesNothingFromTheParent) {
  std::vector<detail::SegmentRef> held;
  for (int i = 0; i < 20; ++i) {
    held.push_back(take(64 * kilobyte, i % 2 == 0 ? 0 : 7));
    std::memset(held.back()->data(), 0x5a, held.back()->size());
  }
  const std::size_t before = arena->bytes();
  EXPECT_EQ(in_fork([&] {
              held.clear();
              return 0;
            }),
            0);
  EXPECT_EQ(arena->bytes(), before);
  for (const auto& segment : held)
    EXPECT_TRUE(std::all_of(segment->bytes().begin(), segment->bytes().end(),
                            [](std::byte byte) { return byte == std::byte{0x5a}; }));
}

/// The fork may read and write it.
TEST_F(ArenaTest, WhatAForkHoldsIsNeitherLentAgainNorEmptied) {
  auto held = take(64 * kilobyte);
  const std::uint64_t id = held->id();
  std::memset(held->data(), 0x5a, held->size());
  int go[2];
  ASSERT_EQ(::pipe(go), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char word = 0;
    ::close(go[1]);
    static_cast<void>(::read(go[0], &word, 1));
    const bool whole = held->data()[0] == std::byte{0x5a} && held->data()[held->size() - 1] == std::byte{0x5a};
    std::memset(held->data(), 0xee, held->size());
    ::_exit(whole ? 0 : 1);
  }
  held.reset();
  EXPECT_EQ(arena->left_to_forks(), 1u);
  auto next = take(64 * kilobyte);
  EXPECT_NE(next->id(), id);
  std::memset(next->data(), 0x77, next->size());
  EXPECT_EQ(::write(go[1], "x", 1), 1);
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(next->data()[100], std::byte{0x77});
  for (const int end : {go[0], go[1]}) ::close(end);
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
