#include "task/admission.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hotspare::task {
namespace {

using detail::Task;
using detail::TaskRef;
using May = Admission::Answer::May;
using End = Gate::End;
constexpr std::int64_t second = 1'000'000'000;

std::int64_t now = 1;

class AdmissionTest : public testing::Test {
 protected:
  void SetUp() override { now = 1; }
  void TearDown() override {
    admission.unpark_all();
    while (!queue.empty()) queue.pop_front();
  }

  TaskRef task(std::vector<std::string> tags = {}, std::string key = {}) {
    static const detail::CallSite site{{}, "f"};
    TaskRef made(new Task(nullptr, site, nullptr));
    made->id = ++last_id;
    if (!tags.empty() || !key.empty()) {
      made->extra().options.tags = std::move(tags);
      made->extra().options.key = std::move(key);
      EXPECT_EQ(admission.find_gates(*made), nullptr);
    }
    queue.push_back(made);
    return made;
  }
  TaskRef lonely() {
    TaskRef made = task();
    made->extra().alone = true;
    return made;
  }
  /// The first of the queue may begin, and does.
  TaskRef begin() {
    EXPECT_EQ(admission.ask(*queue.front()).may, May::begin);
    admission.enter(*queue.front());
    return queue.pop_front();
  }
  /// The first of the queue must wait elsewhere, and does.
  void park() {
    const Admission::Answer answer = admission.ask(*queue.front());
    ASSERT_EQ(answer.may, May::wait_elsewhere);
    admission.park_first(*answer.where);
  }
  std::vector<std::uint64_t> in_queue() const {
    std::vector<std::uint64_t> ids;
    for (const Task* each = queue.front(); each != nullptr; each = each->next) ids.push_back(each->id);
    return ids;
  }

  using Ids = std::vector<std::uint64_t>;
  detail::TaskQueue queue;
  int calls = 0;
  std::uint64_t last_id = 0;
  Admission admission{queue,
                      {{"one", {.at_once = 1}},
                       {"two", {.at_once = 2}},
                       {"slow", {.per_second = 1}},
                       {"frail", {.breaker_failures = 1, .breaker_pause = std::chrono::seconds(1)}}},
                      [this] { ++calls; },
                      [] { return now; }};
};

TEST_F(AdmissionTest, WhoHasNeitherTagNorKeyMayBegin) {
  task();
  task({}, "key");
  begin();
  begin();
  EXPECT_EQ(calls, 0);
}

TEST_F(AdmissionTest, ATagWithoutAGateIsNamed) {
  TaskRef made = task();
  made->extra().options.tags = {"one", "none", "nil"};
  const std::string* const tag = admission.find_gates(*made);
  ASSERT_NE(tag, nullptr);
  EXPECT_EQ(*tag, "none");
}

TEST_F(AdmissionTest, AClosedGateHoldsUpNobodyElse) {
  for (int i = 0; i < 2; ++i) task({"one"});
  task();
  const TaskRef runs = begin();
  park();
  EXPECT_EQ(admission.parked(), 1u);
  EXPECT_EQ(in_queue(), Ids{3});
  begin();
}

TEST_F(AdmissionTest, TheEndOfOneOpensForTheFirstThatWaits) {
  for (int i = 0; i < 3; ++i) task({"one"});
  const TaskRef runs = begin();
  park();
  park();
  task();
  admission.leave(*runs, End::succeeded);
  EXPECT_EQ(in_queue(), (Ids{2, 4}));
  EXPECT_EQ(admission.parked(), 1u);
}

TEST_F(AdmissionTest, OneThatWasTakenBackMakesRoomToo) {
  for (int i = 0; i < 2; ++i) task({"one"});
  const TaskRef handed = begin();
  park();
  admission.leave(*handed, End::not_begun);
  EXPECT_EQ(in_queue(), Ids{2});
}

TEST_F(AdmissionTest, LeavingTwiceCountsOnce) {
  for (int i = 0; i < 3; ++i) task({"two"});
  const TaskRef first = begin();
  const TaskRef other = begin();
  admission.leave(*first, End::failed);
  admission.leave(*first, End::failed);
  begin();
  task({"two"});
  park();
}

TEST_F(AdmissionTest, SeveralTagsAreAllEnteredAndAllLeft) {
  task({"one", "two"});
  task({"two"});
  task({"two"});
  task({"one"});
  const TaskRef both = begin();
  const TaskRef other = begin();
  park();
  park();
  admission.leave(*both, End::succeeded);
  EXPECT_EQ(admission.parked(), 0u);
  EXPECT_EQ(queue.size(), 2u);
  begin();
  begin();
}

TEST_F(AdmissionTest, ASecondOpensTheGateOfARate) {
  task({"slow"});
  task({"slow"});
  now = 100;
  const TaskRef first = begin();
  park();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(admission.due_at(), 100 + second);
  admission.on_time(now = 99 + second);
  EXPECT_TRUE(queue.empty());
  admission.on_time(now = 100 + second);
  EXPECT_EQ(in_queue(), Ids{2});
  EXPECT_EQ(admission.due_at(), 0);
}

TEST_F(AdmissionTest, TheSecondCountsFromTheBegin) {
  task({"slow"});
  task({"slow"});
  now = 100;
  const TaskRef first = begin();
  now = 500;
  admission.note_begin(*first, 300);
  park();
  EXPECT_EQ(admission.due_at(), 300 + second);
}

TEST_F(AdmissionTest, ABeginInTheFutureIsNow) {
  task({"slow"});
  task({"slow"});
  now = 100;
  const TaskRef first = begin();
  now = 200;
  admission.note_begin(*first, std::int64_t{1} << 60);
  park();
  EXPECT_EQ(admission.due_at(), 200 + second);
}

TEST_F(AdmissionTest, TheFirstOfSeveralDatesIsDue) {
  task({"slow"});
  now = 50;
  const TaskRef slow = begin();
  now = 100;
  task({"frail"});
  const TaskRef frail = begin();
  admission.leave(*frail, End::failed);
  task({"frail"});
  task({"slow"});
  park();
  EXPECT_EQ(admission.due_at(), 100 + second);
  park();
  EXPECT_EQ(admission.due_at(), 50 + second);
}

TEST_F(AdmissionTest, ABreakerLetsOneTryAfterItsPause) {
  for (int i = 0; i < 3; ++i) task({"frail"});
  const TaskRef fails = begin();
  admission.leave(*fails, End::failed);
  park();
  park();
  admission.on_time(now = 1 + second);
  EXPECT_EQ(in_queue(), Ids{2});
  const TaskRef probe = begin();
  EXPECT_TRUE(queue.empty());
  admission.leave(*probe, End::succeeded);
  EXPECT_EQ(in_queue(), Ids{3});
}

TEST_F(AdmissionTest, WhoHasTheKeyOfTheDyingWaits) {
  const TaskRef victim = task({}, "bad");
  queue.pop_front();
  admission.dig_grave(*victim);
  task({}, "bad");
  task({}, "good");
  task({}, "bad");
  park();
  EXPECT_EQ(begin()->id, 3u);
  park();
  task();
  admission.close_grave(*victim);
  EXPECT_EQ(in_queue(), (Ids{2, 4, 5}));
  EXPECT_EQ(admission.ask(*queue.front()).may, May::begin);
}

TEST_F(AdmissionTest, AGraveOfTwoIsClosedTwice) {
  const TaskRef victim = task({}, "bad");
  queue.pop_front();
  admission.dig_grave(*victim);
  admission.dig_grave(*victim);
  task({}, "bad");
  park();
  admission.close_grave(*victim);
  EXPECT_TRUE(queue.empty());
  admission.close_grave(*victim);
  EXPECT_EQ(queue.size(), 1u);
  admission.close_grave(*victim);
}

TEST_F(AdmissionTest, AVictimWithoutAKeyHasNoGrave) {
  const TaskRef victim = task();
  queue.pop_front();
  admission.dig_grave(*victim);
  task();
  begin();
  admission.close_grave(*victim);
}

TEST_F(AdmissionTest, TheGraveComesBeforeTheGate) {
  const TaskRef victim = task({"one"}, "bad");
  begin();
  admission.dig_grave(*victim);
  task({"one"}, "bad");
  park();
  admission.leave(*victim, End::failed);
  EXPECT_TRUE(queue.empty());
  admission.close_grave(*victim);
  begin();
}

TEST_F(AdmissionTest, WhoRunsAloneKeepsAllOthersOut) {
  const TaskRef alone = lonely();
  EXPECT_EQ(admission.ask(*queue.front()).may, May::begin_alone);
  EXPECT_FALSE(admission.is_closed(0));
  admission.handed(*queue.pop_front());
  EXPECT_TRUE(admission.is_closed(1));
  const TaskRef other = task();
  admission.let_go(*other);
  EXPECT_TRUE(admission.is_closed(1));
  admission.let_go(*alone);
  EXPECT_FALSE(admission.is_closed(0));
}

TEST_F(AdmissionTest, OneThatDoesNotNeedItIsNotAlone) {
  task();
  admission.handed(*queue.pop_front());
  EXPECT_FALSE(admission.is_closed(1));
}

TEST_F(AdmissionTest, WhileMemoryIsShortOneRunsAtATime) {
  admission.hold(true);
  EXPECT_FALSE(admission.is_closed(0));
  EXPECT_TRUE(admission.is_closed(1));
  admission.hold(false);
  EXPECT_FALSE(admission.is_closed(1));
}

TEST_F(AdmissionTest, AllComeBackInTheirOrder) {
  const TaskRef victim = task({}, "bad");
  queue.pop_front();
  admission.dig_grave(*victim);
  task({"one"});
  const TaskRef runs = begin();
  task({"one"});
  task({"one"});
  task({}, "bad");
  for (int i = 0; i < 3; ++i) park();
  admission.unpark_all();
  EXPECT_EQ(admission.parked(), 0u);
  EXPECT_EQ(in_queue(), (Ids{5, 3, 4}));
}

TEST_F(AdmissionTest, OneIsTakenFromWhereverItWaits) {
  const TaskRef victim = task({}, "bad");
  queue.pop_front();
  admission.dig_grave(*victim);
  task({"one"});
  const TaskRef runs = begin();
  const TaskRef at_gate = task({"one"});
  const TaskRef at_grave = task({}, "bad");
  const TaskRef waits = task();
  park();
  park();
  for (const TaskRef& each : {at_gate, at_grave, waits}) {
    EXPECT_EQ(admission.take(*each).get(), each.get());
    EXPECT_EQ(each->in, nullptr);
  }
  EXPECT_EQ(admission.parked(), 0u);
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace hotspare::task
