#include "task/gate.hpp"

#include <gtest/gtest.h>

namespace hotspare::task {
namespace {

using End = Gate::End;
constexpr std::int64_t second = 1'000'000'000;

TEST(Gate, WithoutLimitsIsOpen) {
  Gate gate({});
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(gate.ask(1).open);
    gate.enter(1);
  }
}

TEST(Gate, SoManyAtOnce) {
  Gate gate({.at_once = 2});
  gate.enter(1);
  EXPECT_TRUE(gate.ask(1).open);
  gate.enter(1);
  EXPECT_FALSE(gate.ask(1).open);
  EXPECT_EQ(gate.ask(1).again_at, 0);
  gate.leave(End::succeeded, 2);
  EXPECT_TRUE(gate.ask(2).open);
}

TEST(Gate, SoManyInAnySecond) {
  Gate gate({.per_second = 2});
  gate.enter(100);
  gate.enter(300);
  gate.leave(End::succeeded, 301);
  gate.leave(End::failed, 302);
  EXPECT_FALSE(gate.ask(400).open);
  EXPECT_EQ(gate.ask(400).again_at, 100 + second);
  EXPECT_TRUE(gate.ask(100 + second).open);
  gate.enter(100 + second);
  EXPECT_EQ(gate.ask(200 + second).again_at, 300 + second);
}

TEST(Gate, ALateBeginCountsFromThere) {
  Gate gate({.per_second = 2});
  gate.enter(100);
  gate.enter(300);
  gate.began_at(100, 900);
  EXPECT_EQ(gate.ask(1000).again_at, 300 + second);
  gate.enter(300 + second);
  EXPECT_EQ(gate.ask(301 + second).again_at, 900 + second);
  gate.began_at(300 + second, 5);  // nonsense from a worker
  gate.began_at(77, 99);           // already forgotten
  EXPECT_EQ(gate.ask(301 + second).again_at, 900 + second);
}

TEST(Gate, TheBreakerPausesAndThenLetsOneTry) {
  Gate gate({.breaker_failures = 2, .breaker_pause = std::chrono::nanoseconds(50)});
  for (const End end : {End::failed, End::succeeded, End::failed, End::failed}) {
    EXPECT_TRUE(gate.ask(10).open);
    gate.enter(10);
    gate.leave(end, 10);
  }
  EXPECT_FALSE(gate.ask(59).open);
  EXPECT_EQ(gate.ask(59).again_at, 60);
  EXPECT_TRUE(gate.ask(60).open);
  gate.enter(60);
  EXPECT_FALSE(gate.ask(61).open);  // one probe
  gate.leave(End::failed, 100);
  EXPECT_EQ(gate.ask(101).again_at, 150);
  gate.enter(150);
  gate.leave(End::not_begun, 151);  // taken back: it told nothing
  EXPECT_TRUE(gate.ask(152).open);
  gate.enter(152);
  gate.leave(End::succeeded, 160);
  EXPECT_TRUE(gate.ask(161).open);
  gate.enter(161);
  EXPECT_TRUE(gate.ask(161).open);
}

/// Those that began before the breaker opened end while it is open.
TEST(Gate, LateFailuresProlongThePause) {
  Gate gate({.breaker_failures = 1, .breaker_pause = std::chrono::nanoseconds(50)});
  gate.enter(10);
  gate.enter(10);
  gate.leave(End::failed, 20);
  EXPECT_EQ(gate.ask(21).again_at, 70);
  gate.leave(End::failed, 40);
  EXPECT_EQ(gate.ask(41).again_at, 90);
}

}  // namespace
}  // namespace hotspare::task
