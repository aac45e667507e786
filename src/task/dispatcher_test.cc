#include "task/dispatcher.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <memory>
#include <random>
#include <vector>

namespace hotspare::task {
namespace {

constexpr std::uint64_t any = 0;

TEST(Rows, AreTheTasksThatOneHas) {
  EXPECT_EQ(Rows::of(true, false, false, 0, 0, 2, 0, any), 0u);
  EXPECT_EQ(Rows::of(true, false, false, 1, 1, 2, 1, any), 1u);
  EXPECT_EQ(Rows::of(true, false, false, 200, 200, 256, 200, any), 200u);
}

TEST(Rows, WhoCanTakeNoMoreIsInNone) {
  EXPECT_EQ(Rows::of(true, false, false, 2, 2, 2, 2, any), Rows::none);
  EXPECT_EQ(Rows::of(true, true, false, 2, 2, 2, 2, any), Rows::none);
  EXPECT_EQ(Rows::of(true, false, false, shm::slot_count, shm::slot_count, 1000, 9, any), Rows::none);
  EXPECT_EQ(Rows::of(false, false, false, 0, 0, 2, 0, any), Rows::none);
  EXPECT_EQ(Rows::of(true, false, true, 1, 1, 2, 1, any), Rows::none);
  EXPECT_EQ(Rows::of(true, false, false, 0, 0, 2, 7, 7), Rows::none);
  EXPECT_EQ(Rows::of(true, false, false, 0, 0, 2, 6, 7), 0u);
}

TEST(Rows, WhatWasTakenBackCountsForItsSlotsOnly) {
  EXPECT_EQ(Rows::of(true, false, false, 0, 36, 2, 36, any), 0u);
  EXPECT_EQ(Rows::of(true, false, false, 0, shm::slot_count, 2, 300, any), Rows::none);
}

TEST(Rows, WhoDoesNotAnswerComesLast) {
  EXPECT_EQ(Rows::of(true, true, false, 0, 0, 2, 0, any), Rows::last_resort);
  EXPECT_EQ(Rows::of(true, true, true, 1, 1, 2, 0, any), Rows::last_resort);
}

/// A worker that the test plays: its tasks begin and end when it says so.
struct Played {
  explicit Played(Dispatcher& whose) : dispatcher(whose) {
    candidate.takes_tasks = true;
    candidate.prefetch = 4;
    dispatcher.touch(candidate);
  }
  ~Played() {
    while (!candidate.account.empty()) finish();
    dispatcher.forget(candidate);
  }
  void give() {
    static const detail::CallSite site{{}, "f"};
    static std::uint64_t last_id = 0;
    detail::TaskRef task(new detail::Task(nullptr, site, nullptr));
    task->id = ++last_id;
    task->ticket = candidate.account.tail();
    candidate.account.hand_over(std::move(task));
    dispatcher.touch(candidate);
  }
  void take_back() {
    const std::uint64_t last = candidate.account.head() + candidate.account.held() - 1;
    EXPECT_TRUE(candidate.account.take_back(last));
    candidate.account.let_go(last);
    dispatcher.touch(candidate);
  }
  void finish() {
    if (candidate.account.at(candidate.account.head()).task) candidate.account.let_go(candidate.account.head());
    candidate.account.close_head();
    dispatcher.touch(candidate);
  }

  Dispatcher& dispatcher;
  std::unique_ptr<shm::Channel> channel = std::make_unique<shm::Channel>();
  Candidate candidate{*channel};
};

class DispatcherTest : public testing::Test {
 protected:
  void SetUp() override { dispatcher.reserve(16); }
  Candidate& is(Played& played) { return played.candidate; }
  Dispatcher dispatcher{any, 64};
};

TEST_F(DispatcherTest, NobodyIsThere) {
  EXPECT_EQ(dispatcher.choose(), nullptr);
  EXPECT_EQ(dispatcher.idle(), nullptr);
  EXPECT_EQ(dispatcher.fullest(), nullptr);
  EXPECT_TRUE(dispatcher.busy().empty());
  EXPECT_FALSE(dispatcher.somebody_can_give());
}

TEST_F(DispatcherTest, TheIdleComeFirstAndThenThoseWithTheFewest) {
  Played a(dispatcher);
  Played b(dispatcher);
  a.give();
  EXPECT_EQ(dispatcher.choose(), &is(b));
  b.give();
  b.give();
  EXPECT_EQ(dispatcher.choose(), &is(a));
  EXPECT_EQ(dispatcher.idle(), nullptr);
  b.finish();
  b.finish();
  EXPECT_EQ(dispatcher.choose(), &is(b));
  EXPECT_EQ(dispatcher.idle(), &is(b));
}

/// Its worker has not skipped them yet, and nobody is told when it does.
TEST_F(DispatcherTest, OneOfWhichAllWasTakenBackIsIdle) {
  Played a(dispatcher);
  a.give();
  a.give();
  EXPECT_EQ(dispatcher.idle(), nullptr);
  a.take_back();
  a.take_back();
  EXPECT_EQ(dispatcher.idle(), &is(a));
  EXPECT_EQ(dispatcher.busy().size(), 1u);  // it is to be looked at
}

TEST_F(DispatcherTest, OneThatIsFullIsNotChosen) {
  Played a(dispatcher);
  for (int i = 0; i < 4; ++i) a.give();
  EXPECT_EQ(dispatcher.choose(), nullptr);
  is(a).prefetch = 5;
  dispatcher.touch(is(a));
  EXPECT_EQ(dispatcher.choose(), &is(a));
}

TEST_F(DispatcherTest, OneWhoseTaskIsSlowGetsNoOtherBehindIt) {
  Played a(dispatcher);
  a.give();
  is(a).slow_head = is(a).account.head();
  dispatcher.touch(is(a));
  EXPECT_EQ(dispatcher.choose(), nullptr);
  a.finish();
  EXPECT_EQ(dispatcher.choose(), &is(a));
}

TEST_F(DispatcherTest, TheSilentComesLast) {
  Played a(dispatcher);
  Played b(dispatcher);
  is(a).silent = true;
  dispatcher.touch(is(a));
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(dispatcher.choose(), &is(b));
    b.give();
  }
  EXPECT_EQ(dispatcher.choose(), &is(a));
  EXPECT_EQ(dispatcher.idle(), nullptr);
  is(a).silent = false;
  dispatcher.touch(is(a));
  EXPECT_EQ(dispatcher.idle(), &is(a));
}

TEST_F(DispatcherTest, OneThatHasRunAllItMayIsNotChosen) {
  Dispatcher few{2, 64};
  few.reserve(1);
  Played a(few);
  a.candidate.handed = 2;
  few.touch(a.candidate);
  EXPECT_EQ(few.choose(), nullptr);
}

TEST_F(DispatcherTest, OneThatTakesNoMoreTasksIsBusyUntilItHasNone) {
  Played a(dispatcher);
  a.give();
  is(a).takes_tasks = false;
  dispatcher.touch(is(a));
  EXPECT_EQ(dispatcher.choose(), nullptr);
  EXPECT_EQ(dispatcher.busy().size(), 1u);
  a.finish();
  EXPECT_TRUE(dispatcher.busy().empty());
}

TEST_F(DispatcherTest, TheVersionOfTheBusyChangesWithThem) {
  Played a(dispatcher);
  dispatcher.busy();
  const std::uint64_t before = dispatcher.version();
  a.give();
  EXPECT_EQ(dispatcher.version(), before);  // nobody has looked
  EXPECT_EQ(dispatcher.busy().size(), 1u);
  const std::uint64_t with_one = dispatcher.version();
  EXPECT_NE(with_one, before);
  a.give();
  dispatcher.busy();
  EXPECT_EQ(dispatcher.version(), with_one);
}

TEST_F(DispatcherTest, WhoHasOneBehindAnotherCanGive) {
  Played a(dispatcher);
  Played b(dispatcher);
  a.give();
  b.give();
  EXPECT_FALSE(dispatcher.somebody_can_give());
  a.give();
  EXPECT_EQ(dispatcher.fullest(), &is(a));
  b.give();
  b.give();
  EXPECT_EQ(dispatcher.fullest(), &is(b));
  is(b).takes_tasks = false;  // it leaves, and runs what it has
  dispatcher.touch(is(b));
  EXPECT_EQ(dispatcher.fullest(), &is(a));
  a.finish();
  EXPECT_EQ(dispatcher.fullest(), nullptr);
}

TEST_F(DispatcherTest, EachIsRungOnce) {
  Played a(dispatcher);
  Played b(dispatcher);
  for (int i = 0; i < 3; ++i) dispatcher.ring_later(is(a));
  dispatcher.ring_later(is(b));
  int rung = 0;
  dispatcher.ring_all([&](Candidate& /*each*/) { ++rung; });
  dispatcher.ring_all([&](Candidate& /*each*/) { ++rung; });
  EXPECT_EQ(rung, 2);
}

TEST_F(DispatcherTest, WhoIsForgottenIsNowhere) {
  Played a(dispatcher);
  {
    Played b(dispatcher);
    b.give();
    b.give();
    dispatcher.ring_later(is(b));
    EXPECT_TRUE(dispatcher.somebody_can_give());
    dispatcher.forget(is(b));
    EXPECT_TRUE(dispatcher.busy().empty());
    EXPECT_FALSE(dispatcher.somebody_can_give());
  }
  dispatcher.ring_all([](Candidate& /*each*/) { ADD_FAILURE(); });
  EXPECT_EQ(dispatcher.choose(), &is(a));
}

/// Four workers, two cores.
class MoreThanCores : public DispatcherTest {
 protected:
  MoreThanCores() {
    two_cores.reserve(8);
    for (auto& each : played) each = std::make_unique<Played>(two_cores);
  }
  ~MoreThanCores() override { played = {}; }
  Candidate& at(std::size_t i) { return played[i]->candidate; }
  void are_brief(std::initializer_list<std::size_t> which) {
    for (const std::size_t i : which) at(i).brief = true;
    for (const std::size_t i : which) two_cores.touch(at(i));
  }
  Dispatcher two_cores{any, 2};
  std::array<std::unique_ptr<Played>, 4> played;
};

TEST_F(MoreThanCores, TheIdleAreWokenForTasksThatAreNotKnownToBeBrief) {
  EXPECT_FALSE(two_cores.spares_the_idle());
  for (int i = 0; i < 4; ++i) {
    const Candidate* const next = two_cores.choose();
    ASSERT_TRUE(next != nullptr && next->account.empty());
    for (auto& each : played)
      if (&each->candidate == next) each->give();
  }
}

TEST_F(MoreThanCores, BriefOnesGoInTurnsToAsManyAsThereAreCores) {
  are_brief({0, 1, 2, 3});
  played[0]->give();
  EXPECT_TRUE(two_cores.choose()->account.empty());  // a core is left
  played[1]->give();
  const Candidate* const first = two_cores.choose();
  const Candidate* const second = two_cores.choose();
  EXPECT_TRUE(first == &at(0) || first == &at(1));
  EXPECT_TRUE(second == &at(0) || second == &at(1));
  EXPECT_NE(first, second);
  EXPECT_EQ(two_cores.choose(), first);
  EXPECT_EQ(two_cores.awake().size(), 2u);
  EXPECT_TRUE(two_cores.spares_the_idle());
}

TEST_F(MoreThanCores, WhatMustBeginAtOnceGoesToTheIdle) {
  are_brief({0, 1});
  played[0]->give();
  played[1]->give();
  EXPECT_TRUE(two_cores.choose(Begins::at_once)->account.empty());
}

TEST_F(MoreThanCores, NobodyIsWokenWhenThoseAwakeAreFull) {
  are_brief({0, 1});
  for (int i = 0; i < 4; ++i) {
    played[0]->give();
    if (i != 0) played[1]->give();
  }
  EXPECT_EQ(two_cores.choose(), &at(1));
  EXPECT_EQ(two_cores.choose(), &at(1));
  played[1]->give();
  EXPECT_EQ(two_cores.choose(), nullptr);
  EXPECT_TRUE(two_cores.spares_the_idle());
  played[0]->finish();
  EXPECT_EQ(two_cores.choose(), &at(0));
}

TEST_F(MoreThanCores, AnotherIsWokenForOneThatStandsStill) {
  are_brief({0, 1, 2, 3});
  played[0]->give();
  played[1]->give();
  two_cores.stands_still(at(0));
  const Candidate* const woken = two_cores.choose();
  EXPECT_TRUE(woken->account.empty());
  played[woken == &at(2) ? 2 : 3]->give();
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(two_cores.choose()->account.empty());
}

TEST_F(MoreThanCores, ForThoseThatStandStillInARowAllAreWokenSoon) {
  are_brief({0, 1, 2, 3});
  played[0]->give();
  played[1]->give();
  two_cores.stands_still(at(0));
  two_cores.stands_still(at(1));
  played[2]->give();
  at(2).brief = at(1).brief = true;  // enough are awake again
  two_cores.touch(at(1));
  two_cores.touch(at(2));
  EXPECT_EQ(two_cores.choose(), &at(3));
  EXPECT_NE(two_cores.choose(), &at(3));  // that was one more
  two_cores.note_finished(64);
  two_cores.stands_still(at(0));
  EXPECT_NE(two_cores.choose(), &at(3));
}

TEST_F(MoreThanCores, OneThatIsNotBriefAndStandsStillChangesNothing) {
  are_brief({0, 1});
  for (int i = 0; i < 3; ++i) played[static_cast<std::size_t>(i)]->give();
  two_cores.stands_still(at(2));
  EXPECT_NE(two_cores.choose(), &at(3));
}

TEST_F(MoreThanCores, WhoIsSlowSilentOrLeavesIsNotAmongThoseAwake) {
  are_brief({0, 1, 2});
  for (int i = 0; i < 3; ++i) played[static_cast<std::size_t>(i)]->give();
  at(0).silent = true;
  two_cores.touch(at(0));
  EXPECT_NE(two_cores.choose(), &at(3));
  at(1).slow_head = at(1).account.head();
  two_cores.touch(at(1));
  EXPECT_EQ(two_cores.choose(), &at(3));
  at(0).silent = false;
  two_cores.touch(at(0));
  EXPECT_NE(two_cores.choose(), &at(3));
  at(2).takes_tasks = false;
  two_cores.touch(at(2));
  EXPECT_EQ(two_cores.choose(), &at(3));
}

TEST_F(MoreThanCores, AsManyWorkersAsCoresTakeTheirTurnsByWhatTheyHave) {
  at(2).takes_tasks = at(3).takes_tasks = false;
  two_cores.touch(at(2));
  two_cores.touch(at(3));
  are_brief({0, 1});
  played[0]->give();
  played[0]->give();
  played[1]->give();
  EXPECT_EQ(two_cores.choose(), &at(1));
  EXPECT_EQ(two_cores.choose(), &at(1));
}

TEST_F(MoreThanCores, WhoIsForgottenIsNotAwake) {
  are_brief({0, 1, 2});
  for (int i = 0; i < 3; ++i) played[static_cast<std::size_t>(i)]->give();
  played[0].reset();
  played[1].reset();
  EXPECT_EQ(two_cores.choose(), &at(3));
  EXPECT_EQ(two_cores.awake().size(), 1u);
  played[0] = std::make_unique<Played>(two_cores);
  played[1] = std::make_unique<Played>(two_cores);
}

/// Against the search that it saves.
TEST_F(DispatcherTest, ChoosesWhoASearchWouldChoose) {
  std::minstd_rand random(7);
  std::vector<std::unique_ptr<Played>> all;
  for (int i = 0; i < 12; ++i) all.push_back(std::make_unique<Played>(dispatcher));
  for (int step = 0; step < 20'000; ++step) {
    Played& one = *all[random() % all.size()];
    Candidate& candidate = one.candidate;
    switch (random() % 6) {
      case 0: candidate.silent = random() % 2 == 0; break;
      case 1: candidate.prefetch = 1 + random() % 8; break;
      case 2: candidate.takes_tasks = random() % 4 != 0; break;
      case 3:
        if (!candidate.account.empty()) one.finish();
        break;
      default:
        if (candidate.account.outstanding() < 9) one.give();
    }
    dispatcher.touch(candidate);
    std::size_t least = Rows::none;
    std::size_t busy = 0;
    std::size_t most = 1;
    for (const auto& each : all) {
      const Candidate& other = each->candidate;
      const std::uint64_t has = other.account.outstanding();
      busy += has != 0 ? 1 : 0;
      if (other.takes_tasks) most = std::max<std::size_t>(most, has);
      if (!other.takes_tasks || has >= other.prefetch) continue;
      least = std::min<std::size_t>(least, other.silent ? Rows::last_resort : has);
    }
    const Candidate* const chosen = dispatcher.choose();
    ASSERT_EQ(chosen == nullptr, least == Rows::none);
    if (chosen != nullptr) {
      ASSERT_EQ(chosen->silent ? Rows::last_resort : chosen->account.outstanding(), least);
    }
    ASSERT_EQ(dispatcher.busy().size(), busy);
    const Candidate* const fullest = dispatcher.fullest();
    ASSERT_EQ(fullest == nullptr, most == 1);
    if (fullest != nullptr) {
      ASSERT_EQ(fullest->account.held(), most);
    }
  }
}

}  // namespace
}  // namespace hotspare::task
