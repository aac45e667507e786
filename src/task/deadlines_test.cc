#include "task/deadlines.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace hotspare::task {
namespace {

using detail::TaskRef;

TaskRef make_task(std::chrono::nanoseconds timeout = std::chrono::nanoseconds(0)) {
  static const detail::CallSite site{{}, "f"};
  TaskRef task(new detail::Task(nullptr, site, nullptr));
  task->extra().options.timeout = timeout;
  return task;
}

TEST(Deadlines, DueOnesComeInOrderAndNotBefore) {
  Deadlines deadlines;
  EXPECT_TRUE(deadlines.empty());
  EXPECT_EQ(deadlines.first(), 0);
  const std::vector<TaskRef> tasks{make_task(), make_task(), make_task()};
  deadlines.look_at(300, tasks[0]);
  deadlines.look_at(100, tasks[1]);
  deadlines.look_at(200, tasks[2]);
  EXPECT_EQ(deadlines.first(), 100);
  EXPECT_FALSE(deadlines.take_due(99));
  EXPECT_EQ(deadlines.take_due(250).get(), tasks[1].get());
  EXPECT_EQ(deadlines.take_due(250).get(), tasks[2].get());
  EXPECT_FALSE(deadlines.take_due(250));
  EXPECT_EQ(deadlines.take_due(300).get(), tasks[0].get());
  EXPECT_TRUE(deadlines.empty());
}

TEST(Deadlines, OneOfSeveralAtTheSameTimeIsForgotten) {
  Deadlines deadlines;
  const std::vector<TaskRef> tasks{make_task(), make_task(), make_task()};
  for (const TaskRef& task : tasks) deadlines.look_at(50, task);
  deadlines.forget(*tasks[1]);
  EXPECT_EQ(deadlines.take_due(50).get(), tasks[0].get());
  EXPECT_EQ(deadlines.take_due(50).get(), tasks[2].get());
  EXPECT_TRUE(deadlines.empty());
  deadlines.forget(*tasks[1]);  // twice does no harm
}

TEST(NextLook, ATaskThatHasNotBegunIsNeverExpired) {
  for (const std::int64_t begun : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{2000}}) {
    const Look look = next_look(1000, begun, 10);  // a time in the future is nonsense from the worker
    EXPECT_FALSE(look.expired);
    EXPECT_GT(look.again_at, 1000);
  }
}

TEST(NextLook, ExpiresAtTheEndOfItsOwnTime) {
  EXPECT_FALSE(next_look(1000, 991, 10).expired);
  EXPECT_EQ(next_look(1000, 991, 10).again_at, 1001);
  EXPECT_TRUE(next_look(1000, 990, 10).expired);
  EXPECT_TRUE(next_look(1000, 1, 10).expired);
}

/// Whatever the user says: the next look lies in the future, or the loop that looks would never leave.
TEST(NextLook, ExtremeTimeoutsCanBeAdded) {
  using std::chrono::nanoseconds;
  constexpr std::int64_t uptime = 3'000'000'000'000'000;  // some 35 days
  EXPECT_EQ(make_task()->timeout_ns(), 0);
  for (const nanoseconds timeout : {nanoseconds::max(), nanoseconds::min(), nanoseconds(-1), nanoseconds(1)}) {
    const std::int64_t used = make_task(timeout)->timeout_ns();
    EXPECT_GT(used, 0);
    EXPECT_GT(next_look(uptime, 0, used).again_at, uptime);
  }
}

}  // namespace
}  // namespace hotspare::task
