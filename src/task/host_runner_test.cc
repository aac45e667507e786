#include "task/host_runner.hpp"

#include "task/list.hpp"

#include <hotspare/this_task.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <vector>

namespace hotspare::task {
namespace {

using detail::Task;
using detail::TaskRef;

std::function<void()> body;
void run_body(detail::TaskContext& /*context*/) { body(); }

class HostRunnerTest : public testing::Test, public HostRunner::Host {
 protected:
  void SetUp() override { runner.start("the runner"); }
  void TearDown() override {
    runner.end();
    while (!queue.empty()) queue.pop_front();
  }

  bool may_run_here() override {
    ++asked;
    changed.notify_all();
    return !queue.empty() && !refused;
  }
  void prepare_here() override {
    ++prepared;
    prepare();
  }
  void cannot_run_here(const std::string& reason) override {
    why = reason;
    refused = true;
    changed.notify_all();
  }
  TaskRef begin_here() override {
    TaskRef task = queue.pop_front();
    if (no_memory) return {};
    return task;
  }
  void ended_here(TaskRef task, detail::HostContext* context) override {
    EXPECT_FALSE(runner.runs(*task));
    ended.emplace_back(task->id, context != nullptr && context->raised());
    changed.notify_all();
  }

  TaskRef submit(std::uint64_t id) {
    static const detail::CallSite site{detail::locate(reinterpret_cast<const void*>(&run_body)), "run_body"};
    TaskRef task(new Task(nullptr, site, nullptr));
    task->id = id;
    const std::lock_guard lock(mutex);
    queue.push_back(task);
    runner.call();
    return task;
  }
  void await(const std::function<bool()>& ready) {
    std::unique_lock lock(mutex);
    changed.wait(lock, ready);
  }

  using Ended = std::vector<std::pair<std::uint64_t, bool>>;
  std::mutex mutex;
  std::condition_variable changed;
  detail::TaskList queue;
  std::function<void()> prepare = [] {};
  int asked = 0;
  std::atomic<int> prepared{0};  // counted without the mutex
  bool refused = false;
  bool no_memory = false;
  std::string why;
  Ended ended;
  const os::Owner owner;
  HostRunner runner{mutex, owner, *this};
};

TEST_F(HostRunnerTest, EndsWhileItSleeps) {
  await([this] { return asked == 1; });
}

TEST_F(HostRunnerTest, RunsOneAfterAnotherAndPreparesOnce) {
  int runs = 0;
  body = [&] {
    ++runs;
    EXPECT_TRUE(runner.is_current());
    const std::lock_guard lock(mutex);  // it is free: otherwise this never ends
    EXPECT_TRUE(runner.runs_any());
  };
  for (const std::uint64_t id : {1, 2, 3}) submit(id);
  await([this] { return ended.size() == 3; });
  EXPECT_EQ(ended, (Ended{{1, false}, {2, false}, {3, false}}));
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(prepared, 1);
  EXPECT_FALSE(runner.is_current());
  const std::lock_guard lock(mutex);
  EXPECT_FALSE(runner.runs_any());
}

TEST_F(HostRunnerTest, WhatATaskThrowsIsItsOutcome) {
  body = [] { throw std::runtime_error("no"); };
  submit(1);
  await([this] { return !ended.empty(); });
  EXPECT_EQ(ended, (Ended{{1, true}}));
}

TEST_F(HostRunnerTest, WhatPreparingThrowsIsTold) {
  prepare = [] { throw std::runtime_error("no licence"); };
  body = [] { ADD_FAILURE(); };
  submit(1);
  await([this] { return refused; });
  EXPECT_EQ(why, "no licence");
}

TEST_F(HostRunnerTest, WhateverPreparingThrows) {
  prepare = [] { throw 3; };
  submit(1);
  await([this] { return refused; });
  EXPECT_FALSE(why.empty());
}

TEST_F(HostRunnerTest, OneThatCannotBeginIsNotRun) {
  no_memory = true;
  body = [] { ADD_FAILURE(); };
  submit(1);
  await([this] { return prepared == 1 && queue.empty(); });
  EXPECT_TRUE(ended.empty());
}

TEST_F(HostRunnerTest, ItsProgressIsSeenWhileItRuns) {
  std::mutex told;
  std::condition_variable said;
  bool has_told = false;
  bool may_end = false;
  body = [&] {
    hotspare::progress(3, 4, "nearly");
    std::unique_lock lock(told);
    has_told = true;
    said.notify_all();
    said.wait(lock, [&] { return may_end; });
  };
  const TaskRef task = submit(9);
  {
    std::unique_lock lock(told);
    said.wait(lock, [&] { return has_told; });
  }
  {
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(runner.runs(*task));
    const auto progress = runner.progress_of(*task);
    ASSERT_TRUE(progress.has_value());
    EXPECT_EQ(progress->done, 3u);
    EXPECT_EQ(progress->total, 4u);
  }
  {
    const std::lock_guard lock(told);
    may_end = true;
    said.notify_all();
  }
  runner.end();  // before what its task waits for is gone
}

TEST_F(HostRunnerTest, EndWaitsForTheOneThatRuns) {
  std::atomic<bool> done{false};
  std::atomic<bool> begun{false};
  body = [&] {
    begun = true;
    begun.notify_all();
    done = true;
  };
  submit(1);
  begun.wait(false);
  runner.end();
  EXPECT_TRUE(done);
  EXPECT_EQ(ended.size(), 1u);
}

}  // namespace
}  // namespace hotspare::task
