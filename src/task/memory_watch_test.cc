#include "task/memory_watch.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <new>
#include <unistd.h>

namespace hotspare::task {
namespace {

using Weights = std::vector<MemoryWatch::Weight>;

/// This process plays all its workers.
class MemoryWatchTest : public testing::Test, public MemoryWatch::Host {
 protected:
  void SetUp() override { watch.start("the watch"); }
  void TearDown() override { watch.end(); }

  std::vector<MemoryWatch::Limited> limited_tasks(std::uint64_t& tightest) override {
    tightest = limit;
    ++looks;
    changed.notify_all();
    if (fails != 0) {
      --fails;
      throw std::bad_alloc();
    }
    if (limit == 0) return {};
    return {{1, ::getpid(), ::getppid(), 5, limit, {}}};
  }
  void over_limit(const MemoryWatch::Limited& task, const death::MemoryTaken& taken) override {
    const std::lock_guard lock(mutex);
    over.emplace_back(task.ticket, taken.total());
    limit = 0;  // it is ended
    changed.notify_all();
  }
  std::optional<std::vector<MemoryWatch::Weight>> to_be_weighed() override { return workers; }
  std::int64_t weighed(const std::vector<MemoryWatch::Weight>& weights, std::uint64_t free) override {
    weighings.push_back(weights);
    available = free;
    changed.notify_all();
    return 1;
  }

  using Lock = std::unique_lock<std::mutex>;
  void set(const std::function<void()>& change) {
    const Lock lock(mutex);
    change();
    watch.expect(limit != 0);
  }
  void await(const std::function<bool()>& ready) {
    Lock lock(mutex);
    changed.wait(lock, ready);
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t limit = 0;
  std::optional<std::vector<MemoryWatch::Weight>> workers;
  int looks = 0;
  int fails = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> over;
  std::vector<std::vector<MemoryWatch::Weight>> weighings;
  std::uint64_t available = 0;
  MemoryWatch watch{mutex, {.budget = 1, .reserve = 1}, *this};
};

TEST_F(MemoryWatchTest, EndsWhileItSleeps) {
  await([this] { return looks == 1; });
}

TEST_F(MemoryWatchTest, ToldOfOneOverItsLimit) {
  set([this] { limit = 4096; });
  await([this] { return !over.empty(); });
  const Lock lock(mutex);
  EXPECT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].first, 5u);
  EXPECT_GT(over[0].second, 4096u);
}

TEST_F(MemoryWatchTest, OneBelowItsLimitIsLookedAtAgainAndAgain) {
  set([this] { limit = std::uint64_t{1} << 45; });
  await([this] { return looks > 5; });
  const Lock lock(mutex);
  EXPECT_TRUE(over.empty());
}

TEST_F(MemoryWatchTest, WeighsEachWorker) {
  set([this] { workers.emplace(Weights{{7, ::getpid()}, {8, ::getpid()}}); });
  await([this] { return weighings.size() > 2; });
  const Lock lock(mutex);
  for (const auto& weights : weighings) {
    ASSERT_EQ(weights.size(), 2u);
    EXPECT_EQ(weights[0].worker, 7u);
    EXPECT_EQ(weights[1].worker, 8u);
    EXPECT_GT(weights[0].bytes, 100'000u);
  }
  EXPECT_GT(available, 0u);
}

TEST_F(MemoryWatchTest, WeighsNothingOfOneThatIsGone) {
  set([this] { workers.emplace(Weights{{7, std::numeric_limits<pid_t>::max()}}); });
  await([this] { return !weighings.empty(); });
  const Lock lock(mutex);
  EXPECT_EQ(weighings[0][0].bytes, 0u);
}

TEST_F(MemoryWatchTest, SleepsWhenThereIsNothingAndComesBackWhenItIsCalled) {
  for (int round = 0; round < 3; ++round) {
    std::size_t before = 0;
    set([&] {
      before = weighings.size();
      workers.emplace(Weights{{7, ::getpid()}});
    });
    await([&] { return weighings.size() > before; });
    int looked = 0;
    set([&] {
      workers.reset();
      looked = looks;
    });
    await([&] { return looks > looked; });
  }
}

TEST_F(MemoryWatchTest, LooksAgainWhenThereWasNoMemory) {
  set([this] {
    fails = 3;
    workers.emplace(Weights{{7, ::getpid()}});
  });
  await([this] { return !weighings.empty(); });
  const Lock lock(mutex);
  EXPECT_EQ(fails, 0);
}

TEST_F(MemoryWatchTest, EndsWhileItLooks) {
  set([this] { limit = std::uint64_t{1} << 45; });
}

}  // namespace
}  // namespace hotspare::task
