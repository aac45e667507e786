#include "support/gate.hpp"
#include "support/ledger.hpp"
#include "support/signals.hpp"
#include "support/test_pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <ranges>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

/// The pool itself: its options, map, replacement of workers, hooks, events, and figures.
namespace hotspare::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

// ---- map ----

int square(int x) { return x * x; }
int square_but_not_of_13(int x) {
  if (x == 13) throw std::domain_error("thirteen");
  return x * x;
}
int square_but_17_kills(int x) {
  if (x == 17) ::raise(SIGKILL);
  return x * x;
}
std::vector<int> up_to(int n) {
  std::vector<int> numbers(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) numbers[static_cast<std::size_t>(i)] = i;
  return numbers;
}

TEST(ApiPool, MapKeepsTheOrder) {
  Pool pool(small_pool());
  const std::vector<int> numbers = up_to(1000);
  for (const std::size_t chunk : {1, 7, 1000, 5000}) {
    int expected = 0;
    for (const int result : pool.map(square, numbers, {.chunk = chunk})) {
      EXPECT_EQ(result, expected * expected);
      ++expected;
    }
    EXPECT_EQ(expected, 1000);
  }
  int count = 0;
  for (const auto& text : pool.map([](std::string s) { return s + "!"; }, std::list<std::string>{"a", "b"})) {
    EXPECT_EQ(text, count++ == 0 ? "a!" : "b!");
  }
  EXPECT_EQ(count, 2);
  auto none = pool.map(square, std::vector<int>());
  EXPECT_TRUE(none.begin() == none.end());
  auto none_unordered = pool.map_unordered(square, std::vector<int>());
  EXPECT_TRUE(none_unordered.begin() == none_unordered.end());
  EXPECT_THROW(pool.map(square, numbers, {.chunk = 0}), Error);
}

TEST(ApiPool, MapUnorderedGivesEachOnce) {
  Pool pool(small_pool());
  std::multiset<int> results;
  for (const int result : pool.map_unordered(square, up_to(500), {.chunk = 3})) results.insert(result);
  ASSERT_EQ(results.size(), 500u);
  for (int i = 0; i < 500; ++i) EXPECT_EQ(results.count(i * i), 1u);
}

/// The slow one is not waited for.
TEST(ApiPool, MapUnorderedGivesWhatIsReady) {
  Pool pool(small_pool());
  Gate go;
  const std::vector<std::string> gates{go.path(), "", "", ""};
  std::vector<std::size_t> order;
  const auto wait_there = [](const std::string& gate) {
    if (!gate.empty()) Gate::pass(gate);
    return gate.size();
  };
  for (const std::size_t size : pool.map_unordered(wait_there, gates)) {
    order.push_back(size);
    if (order.size() == 3) go.open();
  }
  EXPECT_EQ(order, (std::vector<std::size_t>{0, 0, 0, go.path().size()}));
}

TEST(ApiPool, MapTakesFromAnEndlessInputOnlyWhatItNeeds) {
  Pool pool(small_pool());
  std::atomic<int> taken{0};
  auto endless = std::views::iota(0) | std::views::transform([&](int i) {
                   ++taken;
                   return i;
                 });
  int seen = 0;
  for (const int result : pool.map(square, endless, {.chunk = 2, .window = 5})) {
    EXPECT_EQ(result, seen * seen);
    if (++seen == 200) break;
  }
  EXPECT_LE(taken, 200 + 2 * (5 + 2));
  std::istringstream input("1 2 3 4");
  int sum = 0;
  for (const int result : pool.map(square, std::ranges::istream_view<int>(input))) sum += result;
  EXPECT_EQ(sum, 30);
}

template <class View>
void read_over_errors(View view, int failing, std::size_t expected_good, std::size_t expected_bad) {
  std::size_t good = 0;
  std::size_t bad = 0;
  for (auto it = view.begin(); it != view.end(); ++it) {
    try {
      const int value = *it;
      EXPECT_NE(value, failing * failing);
      ++good;
    } catch (const std::exception&) {
      ++bad;
      EXPECT_ANY_THROW(*it);  // as often as one asks
    }
  }
  EXPECT_EQ(good, expected_good);
  EXPECT_EQ(bad, expected_bad);
}

TEST(ApiPool, MapGoesOnAfterAnError) {
  Pool pool(small_pool());
  read_over_errors(pool.map(square_but_not_of_13, up_to(40)), 13, 39, 1);
  read_over_errors(pool.map_unordered(square_but_not_of_13, up_to(40)), 13, 39, 1);
  read_over_errors(pool.map(square_but_17_kills, up_to(40)), 17, 39, 1);
  read_over_errors(pool.map_unordered(square_but_17_kills, up_to(40)), 17, 39, 1);
  // In a chunk each element has an outcome of its own, too.
  read_over_errors(pool.map(square_but_not_of_13, up_to(40), {.chunk = 10}), 13, 39, 1);
  read_over_errors(pool.map_unordered(square_but_17_kills, up_to(40), {.chunk = 10}), 17, 39, 1);
}

TEST(ApiPool, AMapThatIsDroppedCancelsWhatHasNotBegun) {
  Ledger ledger(1);
  Gate go;
  Gate begun;
  PoolOptions options = small_pool();
  options.workers = 1;
  Pool pool(options);
  auto running = pool.submit(knock_and_pass, begun.path(), go.path());
  begun.await();
  {
    auto view = pool.map([path = std::array<char, 200>()](int x) { return static_cast<int>(path[0]) + x; }, up_to(100));
    auto unordered = pool.map_unordered(square, up_to(100));
    std::thread opener([&] { go.open(); });
    auto it = view.begin();
    EXPECT_EQ(*it, 0);
    opener.join();
    auto moved = std::move(view);
  }
  pool.shutdown();
  const Stats stats = pool.stats();
  EXPECT_EQ(stats.values + stats.cancelled, stats.submitted);
}

TEST(ApiPool, MapWithOptionsAndLambdas) {
  Pool pool(small_pool());
  const int offset = 100;
  std::vector<int> results;
  for (const int result : pool.map([offset](int x) { return x + offset; }, up_to(3))) results.push_back(result);
  EXPECT_EQ(results, (std::vector<int>{100, 101, 102}));
  MapOptions options;
  options.task.timeout = std::chrono::milliseconds(20);
  Gate never;
  int died = 0;
  auto view = pool.map(
      [](const std::string& gate) {
        Gate::pass(gate);
        return 1;
      },
      std::vector<std::string>{never.path()}, options);
  for (auto it = view.begin(); it != view.end(); ++it) {
    try {
      static_cast<void>(*it);
    } catch (const WorkerDied& death) {
      EXPECT_EQ(death.report().cause, Cause::deadline);
      ++died;
    }
  }
  EXPECT_EQ(died, 1);
}

// ---- workers ----

std::int64_t own_pid() { return ::getpid(); }

TEST(ApiPool, WorkersAreReplacedAfterTheirTasks) {
  PoolOptions options = small_pool();
  options.tasks_per_worker = 5;
  Pool pool(options);
  std::map<std::int64_t, int> tasks_of;
  std::vector<Future<std::int64_t>> futures;
  for (int i = 0; i < 100; ++i) futures.push_back(pool.submit(own_pid));
  for (auto& future : futures) ++tasks_of[future.get()];
  for (const auto& [pid, tasks] : tasks_of) EXPECT_LE(tasks, 5);
  EXPECT_GE(tasks_of.size(), 20u);
  pool.shutdown();
  const Stats stats = pool.stats();
  EXPECT_EQ(stats.deaths, 0u);
  EXPECT_GE(stats.retired, 20u);
}

constexpr const char* ledger_variable = "HOTSPARE_TEST_LEDGER";
int initialized_times = 0;
int preloaded_times = 0;
std::int64_t preloaded_in = 0;
void count_initializer() {
  ++initialized_times;
  Ledger::note(std::getenv(ledger_variable), 0);
}
void count_preload() {
  ++preloaded_times;
  preloaded_in = ::getpid();
  Ledger::note(std::getenv(ledger_variable), 1);
}

TEST(ApiPool, HooksRunOnceWhereTheyShould) {
  Ledger ledger(2);
  ::setenv(ledger_variable, ledger.path().c_str(), 1);
  PoolOptions options = small_pool();
  options.initializer = count_initializer;
  options.preload = count_preload;
  options.tasks_per_worker = 3;
  std::int64_t zygote = 0;
  {
    Pool pool(options);
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(pool.submit([] { return initialized_times; }).get(), 1);
      EXPECT_EQ(pool.submit([] { return preloaded_times; }).get(), 1);
    }
    zygote = pool.submit([] { return preloaded_in; }).get();
    EXPECT_EQ(zygote, pool.zygote_pid());
    pool.shutdown();
    const Stats stats = pool.stats();
    EXPECT_LE(ledger.runs(0), static_cast<int>(stats.forks));
    EXPECT_GE(ledger.runs(0), 14);
  }
  EXPECT_EQ(ledger.runs(1), 1);
  EXPECT_EQ(preloaded_times, 0);  // never in the host
  ::unsetenv(ledger_variable);
}

// ---- options ----

std::string refusal(PoolOptions options) {
  try {
    Pool pool(std::move(options));
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ApiPool, WrongOptionsAreRefusedByName) {
  PoolOptions options = small_pool();
  options.workers = 5000;
  EXPECT_THAT(refusal(options), HasSubstr("PoolOptions::workers"));
  options = small_pool();
  options.spares = 5000;
  EXPECT_THAT(refusal(options), HasSubstr("PoolOptions::spares"));
  options = small_pool();
  options.breaker_deaths = 0;
  EXPECT_THAT(refusal(options), HasSubstr("PoolOptions::breaker_deaths"));
}

TEST(ApiPool, StartForkIsRefusedBesideOtherThreads) {
  Signals end;
  std::thread other([&] { end.take(); });
  PoolOptions options = small_pool();
  options.start = Start::fork;
  const std::string why = refusal(options);
  end.give();
  other.join();
  // ThreadSanitizer has a thread of its own.
  EXPECT_THAT(why, AnyOf(HasSubstr("has 2"), HasSubstr("has 3")));
  EXPECT_THAT(why, HasSubstr("Start::exec"));
}

TEST(ApiPool, UsableCpusFollowTheAffinityMask) {
  EXPECT_GE(usable_cpus(), 1u);
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &before)) continue;
    CPU_SET(cpu, &one);
    break;
  }
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(usable_cpus(), 1u);
  PoolOptions options = small_pool();
  options.workers = 0;
  options.spares = 0;
  {
    Pool pool(options);
    pool.submit([] {}).get();
    EXPECT_EQ(pool.stats().workers, 1u);
  }
  ::sched_setaffinity(0, sizeof before, &before);
}

TEST(ApiPool, PoolsMove) {
  Pool first(small_pool());
  auto future = first.submit([] { return 1; });
  Pool second(std::move(first));
  EXPECT_EQ(future.get(), 1);
  EXPECT_EQ(second.submit([] { return 2; }).get(), 2);
  PoolOptions options = small_pool();
  options.start = Start::exec;
  auto late = second.submit([] { return 3; });
  second = Pool(options);  // the old one is closed as by its destructor
  EXPECT_TRUE(late.ready());
  EXPECT_EQ(late.get(), 3);
  EXPECT_EQ(second.submit([] { return 4; }).get(), 4);
}

TEST(ApiPool, TwoPoolsAtOnce) {
  PoolOptions options = small_pool();
  options.start = Start::exec;
  options.name = "first";
  Pool first(options);
  options.name = "second";
  Pool second(options);
  std::thread other([&] {
    for (int i = 0; i < 200; ++i) EXPECT_EQ(second.submit(square, i).get(), i * i);
  });
  for (int i = 0; i < 200; ++i) EXPECT_EQ(first.submit(square, i).get(), i * i);
  other.join();
  // A Buffer of one is an argument in the other.
  const Buffer made = first
                          .submit([] {
                            Buffer buffer = Buffer::make(100'000);
                            std::fill_n(reinterpret_cast<char*>(buffer.data()), 100'000, 'b');
                            return buffer;
                          })
                          .get();
  EXPECT_EQ(second.submit([](const Buffer& given) { return given.as<char>()[99'999]; }, made).get(), 'b');
}

// ---- events and figures ----

/// What is told, and in which order: a spare stands in before the death is told, because the report takes longer.
TEST(ApiPool, EventsTellTheStoryOfADeathInOrder) {
  std::mutex mutex;
  std::vector<Event> events;
  PoolOptions options = small_pool();
  options.on_event = [&](const Event& event) {
    std::lock_guard lock(mutex);
    events.push_back(event);
  };
  Pool pool(options);
  pool.submit([] {}).get();
  while (pool.stats().spares == 0) std::this_thread::yield();
  auto future = pool.submit([]() -> std::int64_t {
    ::raise(SIGKILL);
    return 0;
  });
  const CrashReport report = death_of(future);
  pool.submit([] {}).get();
  pool.shutdown();
  std::lock_guard lock(mutex);
  const auto first = [&](Event::Kind kind) {
    return std::find_if(events.begin(), events.end(), [kind](const Event& event) { return event.kind == kind; });
  };
  const auto death = first(Event::Kind::death);
  const auto takeover = first(Event::Kind::takeover);
  ASSERT_NE(death, events.end());
  ASSERT_NE(takeover, events.end());
  EXPECT_LT(death - events.begin(), takeover - events.begin());  // it came first, and is told when there is time
  EXPECT_LT(first(Event::Kind::refill), first(Event::Kind::worker_ready));
  EXPECT_EQ(death->pid, report.pid);
  EXPECT_EQ(death->task_id, future.task_id());
  ASSERT_NE(death->report, nullptr);
  EXPECT_EQ(death->report->cause, Cause::signal);
  EXPECT_NE(takeover->pid, death->pid);
  EXPECT_EQ(first(Event::Kind::broken), events.end());
  EXPECT_TRUE(std::is_sorted(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.at < b.at; }));
  const auto count = [&](Event::Kind kind) {
    return static_cast<std::uint64_t>(
        std::count_if(events.begin(), events.end(), [kind](const Event& event) { return event.kind == kind; }));
  };
  const Stats stats = pool.stats();
  EXPECT_EQ(count(Event::Kind::death), stats.deaths);
  EXPECT_EQ(count(Event::Kind::takeover), stats.takeovers);
  EXPECT_EQ(count(Event::Kind::refill), stats.forks);
  EXPECT_EQ(count(Event::Kind::retired), stats.retired);
}

TEST(ApiPool, StatsCountWhatHappened) {
  Gate begun;
  Gate go;
  PoolOptions options = small_pool();
  options.workers = 1;
  Pool pool(options);
  for (int i = 0; i < 7; ++i) pool.submit(square, i).get();
  for (int i = 0; i < 3; ++i) EXPECT_THROW(pool.submit(square_but_not_of_13, 13).get(), std::domain_error);
  for (int i = 0; i < 2; ++i) EXPECT_THROW(pool.submit(square_but_17_kills, 17).get(), WorkerDied);
  auto running = pool.submit(knock_and_pass, begun.path(), go.path());
  begun.await();
  std::vector<Future<int>> waiting;
  for (int i = 0; i < 50; ++i) waiting.push_back(pool.submit(square, i));
  const Stats busy = pool.stats();
  EXPECT_EQ(busy.queued + busy.in_workers, 51u);
  EXPECT_GE(busy.in_workers, 1u);
  for (auto& future : waiting) EXPECT_TRUE(future.cancel());
  go.open();
  running.get();
  const Buffer held = pool.buffer(1'000'000);
  EXPECT_GE(pool.stats().segment_bytes, 1'000'000u);
  pool.shutdown();
  const Stats stats = pool.stats();
  EXPECT_EQ(stats.submitted, 7u + 3 + 2 + 1 + 50);
  EXPECT_EQ(stats.values, 8u);
  EXPECT_EQ(stats.raised, 3u);
  EXPECT_EQ(stats.died, 2u);
  EXPECT_EQ(stats.cancelled, 50u);
  EXPECT_EQ(stats.refused, 0u);
  EXPECT_EQ(stats.deaths, 2u);
  EXPECT_EQ(stats.deaths_idle, 0u);
  EXPECT_EQ(stats.deaths_before_ready, 0u);
  EXPECT_EQ(stats.queued + stats.in_workers + stats.workers + stats.spares, 0u);
  EXPECT_EQ(stats.forks, stats.deaths + stats.retired);
}

/// As a program that a worker's task starts has it, if nobody took it out of the environment.
TEST(Init, GoesOnWhenTheOrderInItsEnvironmentWasMeantForAnother) {
  const int no_socket = ::dup(0);
  for (const std::string& order : {std::string("3"), std::to_string(no_socket) + ":1", std::string("999:12345"),
                                   std::string("no number"), std::string()}) {
    ASSERT_EQ(::setenv("HOTSPARE_ZYGOTE", order.c_str(), 1), 0);
    init(0, nullptr);  // else this process goes no further
    EXPECT_EQ(std::getenv("HOTSPARE_ZYGOTE"), nullptr) << order;
  }
  ::close(no_socket);
}

}  // namespace
}  // namespace hotspare::testing
