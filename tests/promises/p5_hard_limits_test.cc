#include "support/beacon.hpp"
#include "support/one_death.hpp"
#include "support/sanitizer.hpp"

#include <csignal>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

/// P5. A deadline or a memory limit holds whatever the worker does. No test here asserts how long something took: a
/// limit that does not hold is a test that does not end.
namespace hotspare::testing {

volatile int spins = 0;

HOTSPARE_GUILTY void spins_for_ever() {
  for (;;) spins = spins + 1;
}
HOTSPARE_GUILTY void spins_with_all_signals_blocked() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  spins_for_ever();
  spins = 1;
}
HOTSPARE_GUILTY void spins_with_all_signals_ignored() {
  for (int signal = 1; signal < NSIG; ++signal) std::signal(signal, SIG_IGN);
  spins_for_ever();
  spins = 2;
}
HOTSPARE_GUILTY void stops_itself() {
  ::raise(SIGSTOP);
  spins_for_ever();
  spins = 3;
}
HOTSPARE_GUILTY void sleeps_for_ever() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));  // style: what is put to the test
}
HOTSPARE_GUILTY void waits_for_its_own_mutex() {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  ::pthread_mutex_lock(&mutex);
  ::pthread_mutex_lock(&mutex);
  spins = 4;
}
HOTSPARE_GUILTY void ends_in_a_busy_catch() {
  for (;;) {
    try {
      throw 1;
    } catch (int) {
      spins = spins + 1;
    }
  }
}

HOTSPARE_GUILTY void spins_inside_free(int) { spins_for_ever(); }
/// free() looks at the block that follows while it holds its arena's lock; there it faults, into our handler.
HOTSPARE_GUILTY void holds_mallocs_lock() {
  constexpr std::size_t block = 64 << 10;  // beyond the thread's own cache, below what is mapped singly
  auto* first = static_cast<char*>(std::malloc(block));
  auto* second = static_cast<char*>(std::malloc(block));
  // What the host has freed before lies anywhere.
  while (second != first + block + 2 * sizeof(void*))
    first = std::exchange(second, static_cast<char*>(std::malloc(block)));
  auto* third = static_cast<unsigned char*>(std::malloc(block));
  spins = third[0] = 1;  // NOLINT(clang-analyzer-unix.Malloc): its place counts, nobody frees it
  std::signal(SIGSEGV, spins_inside_free);
  const auto page = reinterpret_cast<std::uintptr_t>(second - 2 * sizeof(void*)) & ~std::uintptr_t{4095};
  ::mprotect(reinterpret_cast<void*>(page), 4096, PROT_NONE);
  std::free(first);
  spins = 5;
}

namespace {

using std::chrono::milliseconds;

struct Hang {
  const char* name;
  void (*task)();
  const char* function;
};

class P5Deadline : public OneDeath, public ::testing::WithParamInterface<Hang> {};

TEST_P(P5Deadline, HoldsAndTheStackIsTakenFirst) {
  if (sanitized() && GetParam().task == holds_mallocs_lock) GTEST_SKIP() << "the sanitizer has an allocator of its own";
  options_.timeout = milliseconds(300);  // enough to come into the function on a busy machine
  const CrashReport report = death_in(GetParam().task);
  EXPECT_EQ(report.cause, Cause::deadline) << report.text();
  EXPECT_EQ(report.signal, SIGKILL);
  EXPECT_EQ(report.thread_id, report.pid);
  EXPECT_TRUE(stack_has(report, GetParam().function)) << report.text();
  EXPECT_THAT(report.summary(), ::testing::HasSubstr("deadline"));
}

INSTANTIATE_TEST_SUITE_P(
    Hangs, P5Deadline,
    ::testing::Values(Hang{"Spins", spins_for_ever, "spins_for_ever"},
                      Hang{"BlocksAllSignals", spins_with_all_signals_blocked, "spins_with_all_signals_blocked"},
                      Hang{"IgnoresAllSignals", spins_with_all_signals_ignored, "spins_with_all_signals_ignored"},
                      Hang{"Stopped", stops_itself, "stops_itself"}, Hang{"Sleeps", sleeps_for_ever, "sleeps_for_ever"},
                      Hang{"WaitsForAMutex", waits_for_its_own_mutex, "waits_for_its_own_mutex"},
                      Hang{"Throws", ends_in_a_busy_catch, "ends_in_a_busy_catch"},
                      Hang{"HoldsMallocsLock", holds_mallocs_lock, "spins_inside_free"}),
    [](const auto& hang) { return std::string(hang.param.name); });

class P5HardLimits : public OneDeath {
 protected:
  Beacon beacon_;
};

TEST_F(P5HardLimits, ATaskThatFinishesInTimeIsUntouched) {
  options_.timeout = std::chrono::minutes(10);
  std::vector<Future<int>> futures;
  for (int i = 0; i < 200; ++i)
    futures.push_back(pool_.submit(
        options_, [](int x) { return x; }, i));
  for (int i = 0; i < 200; ++i) EXPECT_EQ(futures[i].get(), i);
  EXPECT_EQ(pool_.stats().deaths, 0u);
}

TEST_F(P5HardLimits, ADeadlineEndsWithItsTask) {
  // The worker goes on long after the deadline of a task that it has finished.
  options_.timeout = std::chrono::seconds(1);
  const auto pid = pool_.submit(options_, [] { return ::getpid(); }).get();
  const auto other = pool_
                         .submit([] {
                           std::this_thread::sleep_for(milliseconds(1500));  // style: until the deadline is past
                           return ::getpid();
                         })
                         .get();
  EXPECT_THAT(pool_.worker_pids(), ::testing::Contains(pid));
  EXPECT_THAT(pool_.worker_pids(), ::testing::Contains(other));
  EXPECT_EQ(pool_.stats().deaths, 0u);
}

TEST(P5Prefetch, ADeadlineCountsFromTheTasksOwnBegin) {
  Beacon gate;
  PoolOptions one = small_pool();
  one.workers = 1;
  Pool pool(one);
  auto first = pool.submit([](const std::string& path) { return Beacon(path).wait(); }, gate.path());
  TaskOptions timed;
  timed.timeout = std::chrono::seconds(1);
  std::vector<Future<int>> behind;
  for (int i = 0; i < 3; ++i)
    behind.push_back(pool.submit(
        timed, [](int x) { return x; }, i));
  // They wait for longer than they may run.
  EXPECT_FALSE(behind[0].wait_for(milliseconds(1500)));
  gate.tell(7);
  EXPECT_EQ(first.get(), 7u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(behind[i].get(), i);
  EXPECT_EQ(pool.stats().deaths, 0u);
}

TEST(P5Prefetch, AHungTaskCostsNothingButItself) {
  PoolOptions one = small_pool();
  one.workers = 1;
  Pool pool(one);
  TaskOptions timed;
  timed.timeout = milliseconds(200);
  auto hung = pool.submit(timed, spins_for_ever);
  std::vector<Future<int>> behind;
  for (int i = 0; i < 20; ++i) behind.push_back(pool.submit([](int x) { return x; }, i));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(behind[i].get(), i);
  EXPECT_EQ(death_of(hung).cause, Cause::deadline);
  EXPECT_EQ(pool.stats().died, 1u);
}

TEST_F(P5HardLimits, CancelKillEndsARunningTask) {
  auto future = pool_.submit(
      options_,
      [](const std::string& path) {
        Beacon(path).tell(static_cast<std::uint64_t>(::getpid()));
        spins_with_all_signals_blocked();
      },
      beacon_.path());
  const Watched worker(beacon_.wait());
  ASSERT_TRUE(worker.found());
  EXPECT_FALSE(future.cancel(Cancel::queued));
  EXPECT_FALSE(worker.gone());
  EXPECT_FALSE(future.ready());
  EXPECT_TRUE(future.cancel(Cancel::kill));
  EXPECT_THROW(future.get(), Cancelled);
  EXPECT_TRUE(future.cancel(Cancel::kill));  // still so
  worker.wait_until_gone();
  EXPECT_EQ(pool_.submit([](int x) { return x; }, 5).get(), 5);
  const Stats stats = pool_.stats();
  EXPECT_EQ(stats.cancelled, 1u);
  EXPECT_EQ(stats.died, 0u);
  EXPECT_EQ(stats.deaths_idle, 0u);
}

TEST_F(P5HardLimits, CancelQueuedLeavesARunningTaskAlone) {
  auto future = pool_.submit(
      [](const std::string& path) {
        Beacon shared(path);
        shared.tell(1);
        return shared.wait(1);
      },
      beacon_.path());
  beacon_.wait();
  EXPECT_FALSE(future.cancel());
  EXPECT_FALSE(future.cancel(Cancel::queued));
  beacon_.tell(9, 1);
  EXPECT_EQ(future.get(), 9u);
  EXPECT_FALSE(future.cancel(Cancel::kill));  // it has its value
  EXPECT_EQ(pool_.stats().deaths, 0u);
  EXPECT_EQ(pool_.stats().cancelled, 0u);
}

TEST(P5MemoryLimit, OfOneTaskDoesNotApplyToTheNext) {
  if (sanitized()) GTEST_SKIP() << "the sanitizer maps terabytes, so that no limit can be set";
  PoolOptions one = small_pool();
  one.workers = 1;
  Pool pool(one);
  const auto use = [](std::size_t bytes) { return std::string(bytes, 'x').size(); };
  TaskOptions limited;
  limited.memory_limit = 64 << 20;
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(pool.submit(limited, use, std::size_t{1 << 20}).get(), std::size_t{1 << 20});
    EXPECT_EQ(pool.submit(use, std::size_t{200 << 20}).get(), std::size_t{200 << 20});
  }
  EXPECT_EQ(pool.stats().deaths, 0u);
  // Nor after a task that threw, nor after one that died of it.
  EXPECT_THROW(pool.submit(limited, [] { throw std::runtime_error("no"); }).get(), std::runtime_error);
  EXPECT_EQ(pool.submit(use, std::size_t{200 << 20}).get(), std::size_t{200 << 20});
  EXPECT_EQ(death_of(pool.submit(limited, use, std::size_t{200 << 20})).cause, Cause::memory_limit);
  EXPECT_EQ(pool.submit(use, std::size_t{200 << 20}).get(), std::size_t{200 << 20});
  EXPECT_EQ(pool.stats().deaths, 1u);
}

TEST_F(P5HardLimits, WithoutALimitBadAllocIsAnException) {
  if (sanitized()) GTEST_SKIP() << "the sanitizer's operator new ends the process instead of throwing";
  const std::size_t huge = std::size_t{1} << 60;
  EXPECT_THROW(pool_.submit([](std::size_t bytes) { return std::string(bytes, 'x').size(); }, huge).get(),
               std::bad_alloc);
  EXPECT_EQ(pool_.stats().raised, 1u);
  EXPECT_EQ(pool_.stats().deaths, 0u);
}

}  // namespace
}  // namespace hotspare::testing
