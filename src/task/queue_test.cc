#include "task/queue.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <vector>

namespace hotspare::detail {
namespace {

TaskRef make_task(std::uint64_t id) {
  static const CallSite site{{}, "f"};
  TaskRef task(new Task(nullptr, site, nullptr));
  task->id = id;
  return task;
}

TEST(TaskQueue, FirstInFirstOut) {
  TaskQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.front(), nullptr);
  for (std::uint64_t id = 1; id <= 3; ++id) queue.push_back(make_task(id));
  queue.push_front(make_task(9));
  EXPECT_EQ(queue.size(), 4u);
  EXPECT_EQ(queue.front()->id, 9u);
  for (const std::uint64_t id : {9, 1, 2, 3}) EXPECT_EQ(queue.pop_front()->id, id);
  EXPECT_TRUE(queue.empty());
}

TEST(TaskQueue, HoldsOneReferenceToEach) {
  TaskQueue queue;
  const TaskRef task = make_task(1);
  queue.push_back(task);
  EXPECT_EQ(task->references.load(), 2u);
  EXPECT_TRUE(task->queued);
  queue.remove(*task);
  EXPECT_EQ(task->references.load(), 1u);
  EXPECT_FALSE(task->queued);
}

TEST(TaskQueueDeathTest, TakingOutWhatIsNotInIsABrokenInvariant) {
  TaskQueue queue;
  const TaskRef task = make_task(1);
  EXPECT_DEATH(queue.remove(*task), "");
}

TEST(TaskQueue, RandomStepsAgainstADeque) {
  std::mt19937 random(3);
  TaskQueue queue;
  std::deque<TaskRef> model;
  for (std::uint64_t step = 1; step <= 20'000; ++step) {
    const auto what = static_cast<unsigned>(random() % 5);
    if (what < 2 || model.empty()) {
      TaskRef task = make_task(step);
      model.push_back(task);
      queue.push_back(std::move(task));
    } else if (what == 2) {
      TaskRef task = make_task(step);
      model.push_front(task);
      queue.push_front(std::move(task));
    } else if (what == 3) {
      EXPECT_EQ(queue.pop_front().get(), model.front().get());
      model.pop_front();
    } else {
      const auto at = static_cast<std::ptrdiff_t>(random() % model.size());
      EXPECT_EQ(queue.remove(*model[static_cast<std::size_t>(at)]).get(), model[static_cast<std::size_t>(at)].get());
      model.erase(model.begin() + at);
    }
    ASSERT_EQ(queue.size(), model.size());
    ASSERT_EQ(queue.front(), model.empty() ? nullptr : model.front().get());
  }
  while (!model.empty()) {
    EXPECT_EQ(queue.pop_front().get(), model.front().get());
    model.pop_front();
  }
}

}  // namespace
}  // namespace hotspare::detail
