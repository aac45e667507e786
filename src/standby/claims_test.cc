#include "standby/claims.hpp"

#include "standby/checksum.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace hotspare::standby {
namespace {

constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();

struct ClaimCase {
  const char* what;
  Claim claim;
  bool sense;
};

TEST(Claims, WhatCanBe) {
  const Known known{.newest = 100,
                    .tickets = 3,
                    .state_bytes = 64,
                    .history = 64,
                    .awaits_state = true,
                    .newest_when_asked = 36,
                    .begins_without = true};
  const ClaimCase cases[] = {
      {"a fresh lane", {}, true},
      {"in step", {.answered = 100, .done = 100, .begun = 100, .phase = Phase::in_step}, true},
      {"in a block", {.answered = 99, .done = 99, .begun = 100}, true},
      {"an heir", {.done = 100}, true},
      {"goes back to fill a window", {.answered = 90, .done = 80, .begun = 90}, true},
      {"waits for a state", {.phase = Phase::needs_state}, true},
      {"saved one", {.done = 100, .committed = 7, .state = {.block = 100, .size = 64}}, true},
      {"began what has not come", {.begun = 101}, false},
      {"has what has not come", {.done = most}, false},
      {"answered what has not come", {.answered = std::uint64_t{1} << 44}, false},
      {"saved what has not come", {.committed = 1, .state = {.block = 101}}, false},
      {"saved more than there is room for", {.committed = 1, .state = {.size = 65}}, false},
      {"saved without being asked", {.committed = 104}, false},
      {"lost its state three times in 64 blocks", {.lost_states = 3}, true},
      {"four times", {.lost_states = 4}, false},
      {"died of nothing that there is", {.words = static_cast<worker::LastWordsKind>(99)}, false},
      {"all zeros, or anything else", {.sealed = false}, false},
      {"no phase", {.phase = static_cast<Phase>(5)}, false},
      {"all ones",
       {.answered = most, .done = most, .begun = most, .phase = static_cast<Phase>(~std::uint32_t{0})},
       false},
  };
  for (const ClaimCase& each : cases) EXPECT_EQ(nonsense(each.claim, known) == nullptr, each.sense) << each.what;
}

TEST(Claims, OfOneThatWasToldSomethingElse) {
  EXPECT_NE(nonsense({.phase = Phase::in_step}, {.history = 64, .is_spare = true}), nullptr);
  EXPECT_EQ(nonsense({.phase = Phase::spare}, {.history = 64, .is_spare = true}), nullptr);
  EXPECT_NE(nonsense({.phase = Phase::needs_state}, {.history = 64}), nullptr);
  EXPECT_NE(nonsense({.lost_states = 1}, {.newest = 900, .history = 64}), nullptr);
  EXPECT_EQ(
      nonsense({.lost_states = 1}, {.newest = 900, .history = 64, .newest_when_asked = 900, .begins_without = true}),
      nullptr);
}

TEST(Claims, TheBlockThatItIsIn) {
  EXPECT_EQ((Claim{.done = 4, .begun = 5}).in_block(), 5u);
  EXPECT_EQ((Claim{.done = 5, .begun = 5}).in_block(), 0u);
  EXPECT_EQ((Claim{.done = 5}).in_block(), 0u);
}

TEST(Claims, NobodyForgetsWhatHeHad) {
  const Known known{.newest = 100, .history = 64, .least_done = 90};
  EXPECT_EQ(nonsense({.done = 90, .begun = 91}, known), nullptr);
  EXPECT_NE(nonsense({.done = 89, .begun = 91}, known), nullptr);
}

TEST(Claims, TheBlockThatIsToBlame) {
  const Known known{.newest = 100, .history = 64, .least_done = 90};
  constexpr Scene in_step{.awaited = 100, .suspected = 70};
  constexpr Scene on_its_way{.suspected = 70};
  EXPECT_EQ(guilty_block({.done = 94, .begun = 95}, known, in_step), 95u);
  EXPECT_EQ(guilty_block({.done = 95, .begun = 95}, known, in_step), 0u);
  EXPECT_EQ(guilty_block({.done = 94, .begun = most}, known, in_step), 100u);
  EXPECT_EQ(guilty_block({}, known, in_step), 100u) << "it had more than that";
  EXPECT_EQ(guilty_block({.sealed = false}, {.newest = 100, .history = 64}, on_its_way), 70u) << "all zeros";
  EXPECT_EQ(guilty_block({}, {.newest = 100, .history = 64}, on_its_way), 0u) << "it never began";
  EXPECT_EQ(guilty_block({.done = 94, .begun = 95, .sealed = false}, known, in_step), 95u);
  EXPECT_EQ(guilty_block({.done = most, .begun = most}, known, on_its_way), 70u);
  EXPECT_EQ(guilty_block({.done = most}, known, {}), 0u);
}

TEST(Words, SurviveTheirPacking) {
  const Begin begin{Plan::now, 123'456, false};
  EXPECT_EQ(Begin::unpack(begin.packed()).base, 123'456u);
  EXPECT_EQ(Begin::unpack(begin.packed()).plan, Plan::now);
  EXPECT_FALSE(Begin::unpack(begin.packed()).taken);
  EXPECT_TRUE(Begin::unpack(begin.packed() | taken_begin).taken);
  EXPECT_EQ(mark_of(pack_mark(70, Mark::left_out), 70), Mark::left_out);
  EXPECT_EQ(mark_of(pack_mark(70, Mark::left_out), 134), Mark::none) << "the same place, 64 blocks later";
  EXPECT_EQ(mark_of(0, 70), Mark::none);
}

TEST(Checksum, SeesEachBitAndTheBlock) {
  std::array<std::byte, 19> state{};
  const std::uint64_t right = checksum(7, state);
  EXPECT_NE(checksum(8, state), right);
  EXPECT_NE(checksum(7, std::span(state).first(18)), right);
  for (std::size_t bit = 0; bit < 8 * state.size(); ++bit) {
    state[bit / 8] ^= std::byte{1} << bit % 8;
    EXPECT_NE(checksum(7, state), right) << bit;
    state[bit / 8] ^= std::byte{1} << bit % 8;
  }
  EXPECT_EQ(checksum(7, state), right);
}

}  // namespace
}  // namespace hotspare::standby
