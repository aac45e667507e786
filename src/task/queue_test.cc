#include "task/queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <iterator>
#include <map>
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

/// Taken back from several workers, in whatever order they die.
TEST(TaskQueue, OneThatIsPutBackHasItsPlaceAgain) {
  for (const int priority : {0, 4}) {
    TaskQueue queue;
    std::vector<TaskRef> tasks;
    for (std::uint64_t id = 1; id <= 8; ++id) {
      tasks.push_back(make_task(id));
      tasks.back()->extra().options.priority = priority;
      queue.expect(*tasks.back());
      queue.push_back(tasks.back());
    }
    for (const std::size_t at : {0u, 1u, 2u, 3u, 4u}) queue.remove(*tasks[at]);
    for (const std::size_t at : {3u, 1u, 4u, 0u, 2u}) queue.put_back(tasks[at]);
    for (std::uint64_t id = 1; id <= 8; ++id) EXPECT_EQ(queue.remove(*queue.front())->id, id);
  }
}

TEST(TaskQueue, SeveralThatArePutBackHaveTheirPlacesAgain) {
  for (const int priority : {0, 4}) {
    TaskQueue queue;
    std::vector<TaskRef> tasks;
    for (std::uint64_t id = 1; id <= 9; ++id) {
      tasks.push_back(make_task(id));
      tasks.back()->extra().options.priority = priority;
      queue.expect(*tasks.back());
      queue.push_back(tasks.back());
    }
    for (const std::vector<std::size_t>& those : {std::vector<std::size_t>{0, 3, 4, 8}, {1, 2}, {7, 5, 6}, {}}) {
      TaskList back;
      for (const std::size_t at : those) back.push_back(queue.remove(*tasks[at]));
      queue.put_back_all(back);
      EXPECT_TRUE(back.empty());
    }
    for (std::uint64_t id = 1; id <= 9; ++id) EXPECT_EQ(queue.remove(*queue.front())->id, id);
  }
}

TEST(TaskQueue, HoldsOneReferenceToEach) {
  TaskQueue queue;
  const TaskRef task = make_task(1);
  queue.push_back(task);
  EXPECT_EQ(task->references.load(), 2u);
  EXPECT_NE(task->in, nullptr);
  queue.remove(*task);
  EXPECT_EQ(task->references.load(), 1u);
  EXPECT_EQ(task->in, nullptr);
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

TaskRef with_priority(std::uint64_t id, int priority) {
  TaskRef task = make_task(id);
  task->extra().options.priority = priority;
  return task;
}

TEST(TaskQueue, HigherPrioritiesLeaveFirst) {
  TaskQueue queue;
  queue.push_back(make_task(1));
  queue.push_back(with_priority(2, -5));
  queue.push_back(with_priority(3, 7));
  queue.push_back(with_priority(4, 9));
  queue.push_back(with_priority(5, 7));
  queue.push_back(make_task(6));
  EXPECT_EQ(queue.size(), 6U);
  for (const std::uint64_t id : {4, 3, 5, 1, 6, 2}) {
    EXPECT_EQ(queue.front()->id, id);
    EXPECT_EQ(queue.pop_front()->id, id);
  }
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.front(), nullptr);
}

TEST(TaskQueue, RandomStepsWithManyPrioritiesAgainstLists) {
  std::mt19937 random(5);
  TaskQueue queue;
  std::map<int, std::deque<TaskRef>, std::greater<>> model;
  std::size_t left = 0;
  const auto front = [&]() -> Task* {
    Task* best = nullptr;
    Task* oldest = nullptr;
    for (const auto& [priority, tasks] : model) {
      if (tasks.empty()) continue;
      if (best == nullptr) best = tasks.front().get();
      for (const TaskRef& task : tasks) {
        if (oldest == nullptr || task->id < oldest->id) oldest = task.get();
        if (priority == 0) break;  // of the usual ones the first stands for all
      }
    }
    const bool others =
        std::any_of(model.begin(), model.end(), [](auto& l) { return l.first != 0 && !l.second.empty(); });
    return others && left % 8 == 7 ? oldest : best;
  };
  const auto drop = [&](Task& task) {
    auto& tasks = model[task.priority()];
    tasks.erase(std::find_if(tasks.begin(), tasks.end(), [&](const TaskRef& each) { return each.get() == &task; }));
  };
  for (std::uint64_t step = 1; step <= 5000; ++step) {
    const auto what = static_cast<unsigned>(random() % 5);
    Task* const first = front();
    ASSERT_EQ(queue.front(), first);
    if (what < 2 || first == nullptr) {
      TaskRef task = with_priority(step, static_cast<int>(random() % 41) - 20);
      queue.expect(*task);
      model[task->priority()].push_back(task);
      queue.push_back(std::move(task));
    } else if (what == 2) {
      TaskRef task = with_priority(step, static_cast<int>(random() % 41) - 20);
      queue.expect(*task);
      model[task->priority()].push_front(task);
      queue.push_front(std::move(task));
    } else if (what == 3) {
      const TaskRef gone = queue.pop_front();
      ASSERT_EQ(gone.get(), first);
      drop(*gone);
      queue.forget(*gone);
      ++left;
    } else {
      auto& [priority, tasks] = *std::next(model.begin(), static_cast<std::ptrdiff_t>(random() % model.size()));
      if (tasks.empty()) continue;
      const TaskRef any = tasks[random() % tasks.size()];
      EXPECT_EQ(queue.remove(*any).get(), any.get());
      drop(*any);
      queue.forget(*any);
    }
  }
  while (!queue.empty()) queue.pop_front();
}

TEST(TaskQueue, NobodyStarves) {
  TaskQueue queue;
  queue.push_back(with_priority(1, -1));
  queue.push_back(make_task(2));
  std::uint64_t next = 3;
  std::vector<std::uint64_t> left;
  for (int i = 0; i < 40; ++i) {
    queue.push_back(with_priority(next++, 5));
    left.push_back(queue.pop_front()->id);
  }
  EXPECT_EQ(left[7], 1U);
  EXPECT_EQ(left[15], 2U);
  while (!queue.empty()) queue.pop_front();
}

TEST(TaskQueue, KnowsWhatItHolds) {
  TaskQueue queue;
  TaskList apart;
  const TaskRef usual = make_task(1);
  const TaskRef urgent = with_priority(2, 3);
  const TaskRef parked = with_priority(3, 3);
  queue.push_back(usual);
  queue.push_back(urgent);
  apart.push_back(parked);
  EXPECT_TRUE(queue.holds(*usual));
  EXPECT_TRUE(queue.holds(*urgent));
  EXPECT_FALSE(queue.holds(*parked));
  queue.remove(*urgent);
  EXPECT_FALSE(queue.holds(*urgent));
  queue.pop_front();
  apart.pop_front();
}

}  // namespace
}  // namespace hotspare::detail
