#include "standby/decide.hpp"

#include "standby/lifecycle.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace hotspare::standby {
namespace {

struct LagCase {
  const char* what;
  Lag lag;
  bool hung;
};

TEST(Hangs, OnlyWhoIsBehindWhileOthersAreNot) {
  constexpr std::int64_t limit = 20;
  const LagCase cases[] = {
      {"in step", {0, 0, false}, false},
      {"a little late", {19, 0, false}, false},
      {"late, the others are not", {20, 0, false}, true},
      {"late, the others nearly as late", {20, 19, false}, true},
      {"all late: the machine stalls", {20, 20, false}, false},
      {"all late, for far too long", {200, 200, false}, true},
      {"late and alone", {20, 0, true}, false},
      {"alone, for far too long", {200, 0, true}, true},
      {"late, but asked to fork: the kernel may keep it waiting", {20, 0, false, true}, false},
      {"asked to fork, for far too long", {200, 0, false, true}, true},
  };
  for (const LagCase& each : cases) EXPECT_EQ(hangs(each.lag, limit), each.hung) << each.what;
}

TEST(TimeForAnOrder, NotShortlyBeforeABlock) {
  constexpr std::int64_t last = 10'000;
  constexpr std::int64_t period = 1000;
  struct Case {
    const char* what;
    std::int64_t now;
    std::int64_t due;
  };
  const Case cases[] = {
      {"just answered", last, last},
      {"a quarter of the period gone", last + 250, last + 250},
      {"more than that", last + 251, last + 3 * period},
      {"the next one is due", last + period, last + 3 * period},
      {"it does not come", last + 3 * period, last + 3 * period},
      {"the stream stands still", last + 100 * period, last + 100 * period},
  };
  for (const Case& each : cases) EXPECT_EQ(time_for_an_order(each.now, last, period), each.due) << each.what;
  constexpr std::int64_t ms = 1'000'000;
  EXPECT_EQ(time_for_an_order(9'900 * ms, 0, 10'000 * ms), 9'900 * ms) << "long periods: there is time enough";
  EXPECT_EQ(time_for_an_order(9'960 * ms, 0, 10'000 * ms), 10'050 * ms);
  EXPECT_EQ(time_for_an_order(5 * ms, -1'000'000 * ms, period), 5 * ms) << "no block yet";
}

TEST(TooManyDied, WithinTheTimeOnly) {
  using Deaths = std::vector<std::int64_t>;
  EXPECT_FALSE(too_many_died(Deaths{}, 3, 100));
  EXPECT_FALSE(too_many_died(Deaths{1, 2}, 3, 100));
  EXPECT_TRUE(too_many_died(Deaths{1, 2, 101}, 3, 100));
  EXPECT_FALSE(too_many_died(Deaths{1, 2, 102}, 3, 100));
  EXPECT_TRUE(too_many_died(Deaths{1, 50, 60, 70}, 3, 100)) << "older ones do not count";
  EXPECT_FALSE(too_many_died(Deaths{1, 1, 1}, 0, 100)) << "0: never";
}

TEST(Starves, OnlyWhoWantsToRunAndDoesNot) {
  EXPECT_TRUE(starves(true, 5'000'000, 5'000'100));
  EXPECT_FALSE(starves(true, 5'000'000, 9'000'000)) << "an endless loop";
  EXPECT_FALSE(starves(false, 5'000'000, 5'000'000)) << "asleep, stopped";
}

TEST(Progress, CountsFromTheLastStepThatItMadeWhileBehind) {
  Progress progress;
  EXPECT_EQ(progress.look(7, false, 100), 0);
  EXPECT_EQ(progress.look(7, true, 200), 0) << "in step until now: a pause of the stream is nobody's hang";
  EXPECT_EQ(progress.look(7, true, 250), 50);
  EXPECT_EQ(progress.look(8, true, 300), 0) << "a step";
  EXPECT_EQ(progress.look(8, true, 1300), 1000);
  EXPECT_EQ(progress.look(8, false, 1400), 0);
}

TEST(Rejoin, AutomaticTakesWhatTheProcessorCan) {
  EXPECT_EQ(resolve(Rejoin::automatic, true, 8), Rejoin::saved);
  EXPECT_EQ(resolve(Rejoin::automatic, false, 8), Rejoin::replayed);
  EXPECT_EQ(resolve(Rejoin::automatic, false, 0), Rejoin::forked);
  EXPECT_EQ(resolve(Rejoin::forked, true, 8), Rejoin::forked);
}

struct PlanCase {
  const char* what;
  Situation now;
  Plan plan;
  bool lost;
};

TEST(PlanFor, EachSituation) {
  using M = StandbyMode;
  using R = Rejoin;
  const PlanCase cases[] = {
      {"a new channel", {M::lockstep, R::forked, 0, 1, 64}, Plan::first_block, false},
      {"few blocks so far", {M::lockstep, R::forked, 16, 1, 64, true, true}, Plan::first_block, false},
      {"more, somebody can fork", {M::lockstep, R::forked, 17, 1, 64, true, true}, Plan::inherit, false},
      {"more, somebody can save", {M::lockstep, R::saved, 17, 1, 64, true}, Plan::load, false},
      {"all have threads, all blocks are still there",
       {M::lockstep, R::forked, 31, 1, 64, true},
       Plan::first_block,
       false},
      {"not any more", {M::lockstep, R::forked, 32, 1, 64, true}, Plan::inherit, false},
      {"all are dead, all blocks are still there", {M::lockstep, R::saved, 31, 1, 64}, Plan::first_block, false},
      {"replayed, all blocks are still there",
       {M::lockstep, R::replayed, 31, 1, 64, true, true},
       Plan::first_block,
       false},
      {"replay mode, early", {M::replay, R::saved, 31, 1, 64, true}, Plan::load, false},
      {"a survivor saves", {M::lockstep, R::saved, 500, 1, 64, true}, Plan::load, false},
      {"nobody is left to give it", {M::lockstep, R::saved, 500, 1, 64, false}, Plan::now, true},
      {"nobody is left to fork", {M::lockstep, R::forked, 500, 1, 64, false}, Plan::now, true},
      {"replay needs nobody", {M::lockstep, R::replayed, 500, 1, 64, false}, Plan::replay, false},
      {"the state was lost before, early", {M::lockstep, R::forked, 10, 11, 64, false}, Plan::now, true},
      {"stateless", {M::stateless, R::forked, 500, 1, 64, true}, Plan::now, false},
      {"replay mode", {M::replay, R::saved, 500, 1, 64, true}, Plan::load, false},
      {"replay mode, all are dead", {M::replay, R::saved, 500, 1, 64, false}, Plan::load, false},
  };
  for (const PlanCase& each : cases) {
    EXPECT_EQ(plan_for(each.now), each.plan) << each.what;
    EXPECT_EQ(loses_state(each.now, plan_for(each.now)), each.lost) << each.what;
  }
}

struct AftermathCase {
  const char* what;
  Situation now;
  Aftermath then;
};

/// A block has killed all who had the state. The table of docs/standby_channel.md.
TEST(Aftermath, OfEachModeAndRejoin) {
  using M = StandbyMode;
  using R = Rejoin;
  constexpr std::uint64_t history = 64;
  constexpr std::uint64_t early = history / 2 - 1;
  constexpr std::uint64_t late = 500;
  const AftermathCase cases[] = {
      {"lockstep, forked, early", {M::lockstep, R::forked, early, 1, history}, Aftermath::replayed},
      {"lockstep, forked, late", {M::lockstep, R::forked, late, 1, history}, Aftermath::anew},
      {"the same, somebody lives", {M::lockstep, R::forked, late, 1, history, true, true}, Aftermath::replayed},
      {"lockstep, saved, early", {M::lockstep, R::saved, early, 1, history}, Aftermath::replayed},
      {"lockstep, saved, late", {M::lockstep, R::saved, late, 1, history}, Aftermath::anew},
      {"the same, somebody lives", {M::lockstep, R::saved, late, 1, history, true}, Aftermath::replayed},
      {"lockstep, replayed, early", {M::lockstep, R::replayed, early, 1, history}, Aftermath::replayed},
      {"lockstep, replayed, late", {M::lockstep, R::replayed, late, 1, history}, Aftermath::replayed},
      {"replay, saved, early", {M::replay, R::saved, early, 1, history}, Aftermath::replayed},
      {"replay, saved, late", {M::replay, R::saved, late, 1, history}, Aftermath::replayed},
      {"replay, replayed, late", {M::replay, R::replayed, late, 1, history}, Aftermath::replayed},
      {"stateless", {M::stateless, R::forked, late, 1, history}, Aftermath::untouched},
      {"a state that was lost before, early", {M::lockstep, R::forked, early, 7, history}, Aftermath::anew},
  };
  for (const AftermathCase& each : cases) EXPECT_EQ(aftermath(each.now), each.then) << each.what;
}

TEST(WindowBegin, CountsWhatIsNotLeftOut) {
  const auto none = [](std::uint64_t) { return false; };
  const auto seven = [](std::uint64_t block) { return block == 7; };
  EXPECT_EQ(window_begin(9, 4, 1, none), 6u);
  EXPECT_EQ(window_begin(9, 4, 1, seven), 5u);
  EXPECT_EQ(window_begin(7, 4, 1, seven), 3u);
  EXPECT_EQ(window_begin(3, 4, 1, none), 1u) << "there have not been so many";
  EXPECT_EQ(window_begin(0, 4, 1, none), 1u);
  EXPECT_EQ(window_begin(9, 4, 6, none), 6u);
  EXPECT_EQ(window_begin(9, 4, 6, seven), 0u) << "one of it is overwritten";
  EXPECT_EQ(window_begin(9, 4, 10, none), 0u);
}

TEST(OldestToReplay, LeavesHalfOfTheHistoryForBlocksThatCome) {
  EXPECT_EQ(oldest_to_replay(0, 64), 1u);
  EXPECT_EQ(oldest_to_replay(32, 64), 1u);
  EXPECT_EQ(oldest_to_replay(33, 64), 2u);
}

TEST(LaneToTake, NeverTheOneWithTheOnlyLatestState) {
  using Saved = std::vector<std::uint64_t>;
  using Taken = std::vector<bool>;
  constexpr auto replay = StandbyMode::replay;
  EXPECT_EQ(lane_to_take(Saved{0, 0, 0}, Taken{true, false, false}, replay), 1u);
  EXPECT_EQ(lane_to_take(Saved{32, 16, 0}, Taken{false, false, true}, replay), 1u);
  EXPECT_EQ(lane_to_take(Saved{32, 16, 0}, Taken{false, true, true}, replay), std::nullopt) << "it waits for a burial";
  EXPECT_EQ(lane_to_take(Saved{32, 32, 0}, Taken{false, true, true}, replay), 0u) << "another has it, too";
  EXPECT_EQ(lane_to_take(Saved{32, 16, 0}, Taken{false, true, true}, StandbyMode::lockstep), 0u) << "of no use there";
  EXPECT_EQ(lane_to_take(Saved{0, 0, 0}, Taken{true, true, true}, replay), std::nullopt);
}

TEST(GrownPause, DoublesUpToAMinute) {
  constexpr std::int64_t second = 1'000'000'000;
  EXPECT_EQ(grown_pause(0), second);
  EXPECT_EQ(grown_pause(second), 2 * second);
  EXPECT_EQ(grown_pause(40 * second), 60 * second);
}

struct MoveCase {
  const char* what;
  Roster now;
  Move move;
};

TEST(NextMove, EachRoster) {
  const MoveCase cases[] = {
      {"all are there", {2, 2, false, false, 2}, Move::none},
      {"one died, and there is no spare", {2, 1, false, false, 1}, Move::recruit},
      {"one died", {2, 1, true, true, 1}, Move::promote},
      {"all died", {2, 0, true, true, 0}, Move::promote},
      {"one died when there was no spare yet", {2, 1, true, false, 1}, Move::recruit},
      {"all are there, no spare yet", {2, 2, true, false, 2}, Move::recruit_spare},
      {"one of them is not in step yet: nobody in step is to fork for a spare", {2, 2, true, false, 1}, Move::none},
      {"all are there, and the spare", {2, 2, true, true, 2}, Move::none},
      {"a spare that is not kept any more has its use", {2, 1, false, true, 1}, Move::promote},
  };
  for (const MoveCase& each : cases) EXPECT_EQ(next_move(each.now), each.move) << each.what;
}

TEST(KeepsSpare, WhereSomebodyAnswersInRealTime) {
  EXPECT_TRUE(keeps_spare(std::nullopt, StandbyMode::lockstep, 60));
  EXPECT_FALSE(keeps_spare(std::nullopt, StandbyMode::lockstep, 0));
  EXPECT_TRUE(keeps_spare(true, StandbyMode::lockstep, 0));
  EXPECT_FALSE(keeps_spare(false, StandbyMode::lockstep, 60));
  EXPECT_FALSE(keeps_spare(std::nullopt, StandbyMode::replay, 60));
}

TEST(PriorityOfFollowers, BelowThoseInStepAndTheSupervisor) {
  EXPECT_EQ(priority_of_followers(68, 0), 66);
  EXPECT_EQ(priority_of_followers(68, 64), 66);
  EXPECT_EQ(priority_of_followers(68, 65), 0) << "it would keep a core while it catches up";
  EXPECT_EQ(priority_of_followers(2, 0), 1) << "the least that there is";
  EXPECT_EQ(priority_of_followers(0, 0), 0) << "the channel is not real-time";
}

TEST(CannotKeepUp, ByHalfOfTheHistory) {
  EXPECT_FALSE(cannot_keep_up(100, 100, 64));
  EXPECT_FALSE(cannot_keep_up(131, 100, 64));
  EXPECT_TRUE(cannot_keep_up(132, 100, 64));
}

TEST(Lifecycle, EveryStepThatIsPossible) {
  EXPECT_EQ(next(State::asked, Event::spawned), State::starting);
  EXPECT_EQ(next(State::starting, Event::in_step), State::in_step);
  EXPECT_EQ(next(State::asked, Event::reaped), State::gone) << "its zygote died before it was born";
  EXPECT_EQ(next(State::starting, Event::spare), State::spare);
  EXPECT_EQ(next(State::spare, Event::in_step), State::in_step);
  EXPECT_FALSE(next(State::in_step, Event::spare)) << "nobody is taken out of step again";
  for (const State state : {State::asked, State::starting, State::spare, State::in_step, State::condemned})
    EXPECT_EQ(next(state, Event::noticed), State::condemned);
  EXPECT_EQ(next(State::condemned, Event::reaped), State::gone);
  EXPECT_FALSE(next(State::in_step, Event::reaped)) << "only who was noticed is reaped";
  EXPECT_FALSE(next(State::gone, Event::noticed));
}

}  // namespace
}  // namespace hotspare::standby
