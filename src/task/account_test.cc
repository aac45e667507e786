#include "task/account.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace hotspare::task {
namespace {

using detail::CallSite;
using detail::Task;
using detail::TaskRef;
using shm::SlotState;

constexpr Standing standings[] = {Standing::closed, Standing::handed, Standing::begun, Standing::recalled,
                                  Standing::condemned};

TaskRef make_task(std::uint64_t ticket) {
  static const CallSite site{{}, "f"};
  TaskRef task(new Task(nullptr, site, nullptr));
  task->ticket = ticket;
  return task;
}

/// Of all that a word can say: each state, those that do not exist among them, under the right and under wrong tickets.
std::vector<std::uint64_t> all_words(std::uint64_t ticket) {
  std::vector<std::uint64_t> words;
  for (const std::uint64_t whose :
       {ticket, ticket - 1, ticket + 1, ticket + shm::slot_count, std::uint64_t{0}, (std::uint64_t{1} << 56) - 1})
    for (unsigned state = 0; state < 256; ++state) words.push_back(shm::pack({whose, static_cast<SlotState>(state)}));
  return words;
}

TEST(Claim, OnlyTheseWordsMakeSense) {
  using S = SlotState;
  const std::map<std::pair<Standing, S>, Claim> sense{
      {{Standing::handed, S::queued}, Claim::waits},       {{Standing::handed, S::running}, Claim::runs},
      {{Standing::handed, S::done}, Claim::finished},      {{Standing::begun, S::running}, Claim::runs},
      {{Standing::begun, S::done}, Claim::finished},       {{Standing::recalled, S::recalled}, Claim::passed},
      {{Standing::condemned, S::condemned}, Claim::fenced}};
  constexpr std::uint64_t ticket = 700;
  for (const Standing standing : standings)
    for (const std::uint64_t word : all_words(ticket)) {
      const auto [whose, state] = shm::unpack(word);
      const auto found = sense.find({standing, state});
      const Claim expected = whose == ticket && found != sense.end() ? found->second : Claim::nonsense;
      EXPECT_EQ(claim(standing, ticket, word), expected) << static_cast<int>(standing) << " " << word;
    }
  EXPECT_EQ(claim(Standing::count, ticket, shm::pack({ticket, S::queued})), Claim::nonsense);
}

/// A worker's account with one ticket in it, brought to some standing by the steps that lead there.
class AccountTest : public ::testing::Test {
 protected:
  void SetUp() override { channel_ = std::make_unique<shm::Channel>(); }

  std::unique_ptr<Account> standing(Standing standing) {
    for (shm::TaskSlot& slot : channel_->slots) slot.word = 0;
    auto account = std::make_unique<Account>(*channel_);
    if (standing == Standing::closed) return account;
    account->hand_over(make_task(ticket_));
    if (standing == Standing::handed) return account;
    if (standing == Standing::recalled) {
      EXPECT_TRUE(account->take_back(ticket_));
      return account;
    }
    say(SlotState::running);
    EXPECT_EQ(account->look(ticket_), Claim::runs);
    if (standing == Standing::condemned) {
      EXPECT_TRUE(account->condemn(ticket_));
    }
    return account;
  }
  void say(SlotState state) { channel_->slot(ticket_).word = shm::pack({ticket_, state}); }
  std::uint64_t word() { return channel_->slot(ticket_).word; }

  static constexpr std::uint64_t ticket_ = 1;
  std::unique_ptr<shm::Channel> channel_;
};

TEST_F(AccountTest, EachStepLeadsWhereItSays) {
  for (const Standing each : standings) EXPECT_EQ(standing(each)->at(ticket_).standing, each);
}

TEST_F(AccountTest, WhateverAWordSaysOnlyWhatHasNotBegunIsTakenBack) {
  for (const Standing each : standings)
    for (const std::uint64_t said : all_words(ticket_)) {
      const auto account = standing(each);
      channel_->slot(ticket_).word = said;
      const bool may = each == Standing::handed && said == shm::pack({ticket_, SlotState::queued});
      EXPECT_EQ(account->take_back(ticket_), may) << static_cast<int>(each) << " " << said;
      EXPECT_EQ(account->at(ticket_).standing, may ? Standing::recalled : each);
      EXPECT_EQ(word(), may ? shm::pack({ticket_, SlotState::recalled}) : said);
    }
}

TEST_F(AccountTest, WhateverAWordSaysOnlyWhatRunsIsCondemned) {
  for (const Standing each : standings)
    for (const std::uint64_t said : all_words(ticket_)) {
      const auto account = standing(each);
      channel_->slot(ticket_).word = said;
      const bool may =
          (each == Standing::handed || each == Standing::begun) && said == shm::pack({ticket_, SlotState::running});
      EXPECT_EQ(account->condemn(ticket_), may) << static_cast<int>(each) << " " << said;
      EXPECT_EQ(account->at(ticket_).standing, may ? Standing::condemned : each);
      EXPECT_EQ(word(), may ? shm::pack({ticket_, SlotState::condemned}) : said);
    }
}

TEST_F(AccountTest, WhatHasBegunCannotBeUnbegun) {
  const auto account = standing(Standing::begun);
  say(SlotState::queued);
  EXPECT_EQ(account->look(ticket_), Claim::nonsense);
  EXPECT_FALSE(account->take_back(ticket_));
}

TEST_F(AccountTest, WhoHasToldWhenItBeganHasBegun) {
  const auto account = standing(Standing::handed);
  EXPECT_EQ(account->look(ticket_), Claim::waits);
  channel_->slot(ticket_).begun_at = 12345;
  EXPECT_EQ(account->look(ticket_), Claim::nonsense);
}

TEST_F(AccountTest, OneThatWasNotHandedOverHasNoWord) {
  const auto account = standing(Standing::closed);
  EXPECT_FALSE(account->claims_too_much());
  say(SlotState::done);
  EXPECT_TRUE(account->claims_too_much());
  account->hand_over(make_task(ticket_));
  EXPECT_FALSE(account->claims_too_much());
}

TEST_F(AccountTest, KnowsWhetherItsTicketsAreInOrder) {
  const auto task = [](std::uint64_t id, int priority = 0) {
    TaskRef made = make_task(0);
    made->id = id;
    if (priority != 0) made->extra().options.priority = priority;
    return made;
  };
  Account account(*channel_);
  for (const std::uint64_t id : {5, 6, 9}) account.hand_over(task(id));
  EXPECT_TRUE(account.is_in_order());
  account.hand_over(task(7));  // ticket 4
  EXPECT_FALSE(account.is_in_order());
  account.hand_over(task(8));
  for (int over = 0; over < 2; ++over) {
    EXPECT_FALSE(account.is_in_order());
    account.let_go(account.head());
    account.close_head();
  }
  EXPECT_TRUE(account.is_in_order());  // 9 runs, and behind it are 7 and 8
  account.hand_over(task(10, 1));
  EXPECT_FALSE(account.is_in_order());
  EXPECT_TRUE(comes_before(*task(10, 1), *task(8)));
  EXPECT_FALSE(comes_before(*task(8), *task(8)));
  while (!account.empty()) {
    account.let_go(account.head());
    account.close_head();
  }
}

/// What comes behind one that was taken back has nothing to be compared with.
TEST_F(AccountTest, BehindOneThatWasTakenBackTheOrderIsUnknown) {
  Account account(*channel_);
  for (std::uint64_t id = 1; id <= 2; ++id) account.hand_over(make_task(id));
  ASSERT_TRUE(account.take_back(2));
  account.let_go(2);
  EXPECT_TRUE(account.is_in_order());
  account.hand_over(make_task(3));
  EXPECT_FALSE(account.is_in_order());
  for (; !account.empty(); account.close_head())
    if (account.at(account.head()).task) account.let_go(account.head());
}

/// Between the moment that a task is taken out and that in which its ticket is closed other code looks at the account.
TEST_F(AccountTest, WhatWasLetGoIsNobodysAnyMore) {
  for (const Standing each : {Standing::handed, Standing::begun}) {
    const auto account = standing(each);
    EXPECT_TRUE(account->let_go(ticket_));
    for (const SlotState state : {SlotState::queued, SlotState::running, SlotState::done}) {
      say(state);
      EXPECT_FALSE(account->take_back(ticket_));
      EXPECT_FALSE(account->condemn(ticket_));
      EXPECT_EQ(account->look(ticket_), Claim::nonsense);
    }
    EXPECT_EQ(account->held(), 0u);
    EXPECT_EQ(account->outstanding(), 1u);
  }
}

TEST_F(AccountTest, CountsWhatItHolds) {
  const auto account = standing(Standing::closed);
  std::vector<TaskRef> tasks;
  for (std::uint64_t ticket = 1; ticket <= shm::slot_count; ++ticket) {
    tasks.push_back(make_task(ticket));
    account->hand_over(tasks.back());
  }
  EXPECT_EQ(account->outstanding(), shm::slot_count);
  EXPECT_EQ(account->held(), shm::slot_count);
  EXPECT_TRUE(account->holds(*tasks[99]));
  EXPECT_TRUE(account->take_back(100));
  EXPECT_EQ(account->let_go(100).get(), tasks[99].get());
  EXPECT_FALSE(account->holds(*tasks[99]));
  EXPECT_EQ(account->held(), shm::slot_count - 1);
  EXPECT_TRUE(account->is_full());  // the slot is used until it is skipped
  for (std::uint64_t ticket = 1; ticket <= shm::slot_count; ++ticket) {
    if (ticket != 100) {
      EXPECT_EQ(account->let_go(ticket).get(), tasks[ticket - 1].get());
    }
    account->close_head();
  }
  EXPECT_TRUE(account->empty());
  EXPECT_FALSE(account->holds(*tasks[0]));
  for (const TaskRef& task : tasks) EXPECT_EQ(task->references.load(), 1u);
}

TEST_F(AccountTest, AStaleTaskOfAnEarlierRoundIsNotHeld) {
  const auto account = standing(Standing::closed);
  const TaskRef early = make_task(1);
  account->hand_over(early);
  account->let_go(1);
  account->close_head();
  for (std::uint64_t ticket = 2; ticket <= 1 + shm::slot_count; ++ticket) account->hand_over(make_task(ticket));
  EXPECT_FALSE(account->holds(*early));  // its slot is another's now
}

}  // namespace
}  // namespace hotspare::task
