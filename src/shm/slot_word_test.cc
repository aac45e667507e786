#include "shm/slot_word.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <utility>

namespace hotspare::shm {
namespace {

constexpr std::array states{SlotState::empty, SlotState::queued,   SlotState::running,
                            SlotState::done,  SlotState::recalled, SlotState::condemned};

TEST(SlotWord, OnlyTheseStepsAreLegal) {
  using S = SlotState;
  const std::set<std::pair<S, S>> steps{
      {S::empty, S::queued},      {S::queued, S::running}, {S::queued, S::recalled}, {S::running, S::done},
      {S::running, S::condemned}, {S::done, S::queued},    {S::recalled, S::queued},
  };
  for (const SlotState from : states)
    for (const SlotState to : states)
      EXPECT_EQ(legal(from, to), steps.contains({from, to})) << static_cast<int>(from) << " " << static_cast<int>(to);
  EXPECT_FALSE(legal(static_cast<SlotState>(99), SlotState::queued));  // a damaged word
}

TEST(SlotWord, PacksAndUnpacksAll) {
  for (const std::uint64_t ticket :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{256}, (std::uint64_t{1} << 56) - 1})
    for (const SlotState state : states) {
      const SlotWord word{ticket, state};
      EXPECT_EQ(unpack(pack(word)), word);
    }
  EXPECT_EQ(unpack(0), (SlotWord{0, SlotState::empty}));  // what a fresh channel holds
}

TEST(SlotWord, NoTwoWordsAreEqual) {
  std::set<std::uint64_t> words;
  for (std::uint64_t ticket = 0; ticket < 1000; ++ticket)
    for (const SlotState state : states) words.insert(pack({ticket, state}));
  EXPECT_EQ(words.size(), 1000 * states.size());
}

}  // namespace
}  // namespace hotspare::shm
