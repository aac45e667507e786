#include "task/alarms.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace hotspare::task {
namespace {

using detail::TaskRef;

TaskRef make_task() {
  static const detail::CallSite site{{}, "f"};
  return TaskRef(new detail::Task(nullptr, site, nullptr));
}

TEST(Alarms, DueOnesComeInOrderAndNotBefore) {
  Alarms alarms;
  EXPECT_TRUE(alarms.empty());
  EXPECT_EQ(alarms.first(), 0);
  const std::vector<TaskRef> tasks{make_task(), make_task(), make_task()};
  alarms.set(300, tasks[0]);
  alarms.set(100, tasks[1]);
  alarms.set(200, tasks[2]);
  EXPECT_EQ(alarms.first(), 100);
  EXPECT_FALSE(alarms.take_due(99));
  EXPECT_EQ(alarms.take_due(250).get(), tasks[1].get());
  EXPECT_EQ(alarms.take_due(250).get(), tasks[2].get());
  EXPECT_FALSE(alarms.take_due(250));
  EXPECT_EQ(alarms.take_due(300).get(), tasks[0].get());
  EXPECT_TRUE(alarms.empty());
}

TEST(Alarms, OneOfSeveralAtTheSameTimeIsForgotten) {
  Alarms alarms;
  const std::vector<TaskRef> tasks{make_task(), make_task(), make_task()};
  for (const TaskRef& task : tasks) alarms.set(50, task);
  alarms.forget(*tasks[1]);
  EXPECT_EQ(alarms.take_due(50).get(), tasks[0].get());
  EXPECT_EQ(alarms.take_due(50).get(), tasks[2].get());
  EXPECT_TRUE(alarms.empty());
  alarms.forget(*tasks[1]);  // twice does no harm
}

TEST(Alarms, ASecondOneTakesThePlaceOfTheFirst) {
  Alarms alarms;
  const TaskRef task = make_task();
  alarms.set(100, task);
  alarms.set(300, task);
  EXPECT_FALSE(alarms.take_due(200));
  EXPECT_EQ(alarms.take_due(300).get(), task.get());
  EXPECT_TRUE(alarms.empty());
  alarms.set(400, task);  // and again after it was due
  EXPECT_EQ(alarms.first(), 400);
}

}  // namespace
}  // namespace hotspare::task
