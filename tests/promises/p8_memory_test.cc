#include "support/gate.hpp"
#include "support/ledger.hpp"
#include "support/one_death.hpp"
#include "support/sanitizer.hpp"

#include <fstream>
#include <string>
#include <vector>

/// P8. Under memory pressure the pool runs fewer at once, at last one alone, and climbs back; and no task pays for another.
namespace hotspare::testing {
namespace {

constexpr std::size_t mb = 1 << 20;

/// Takes so much, bit by bit, and holds it until it has all.
std::size_t takes(const std::string& ledger, std::size_t task, std::size_t bytes) {
  Ledger::note(ledger, task);
  std::vector<std::vector<char>> all;
  std::size_t sum = 0;
  while (sum < bytes) {
    all.emplace_back(mb, 'x');
    sum += all.back().size();
  }
  return sum;
}

class P8Memory : public ::testing::Test {
 protected:
  void SetUp() override {
    if (sanitized()) GTEST_SKIP() << "a sanitizer's shadow memory counts, too";
  }
};

TEST_F(P8Memory, ThreeTasksOfSixTenthsOfTheBudgetAllFinish) {
  Ledger ledger(3);
  PoolOptions options = small_pool();
  options.workers = 4;
  options.memory_budget = 600 * mb;
  Pool pool(options);
  std::vector<Future<std::size_t>> futures;
  for (std::size_t task = 0; task < 3; ++task) futures.push_back(pool.submit(takes, ledger.path(), task, 360 * mb));
  for (const auto& future : futures) EXPECT_EQ(future.get(), 360 * mb);
  const Stats stats = pool.stats();
  EXPECT_EQ(stats.values, 3U);
  EXPECT_EQ(stats.died, 0U);
  EXPECT_EQ(stats.deaths, stats.put_back);
  EXPECT_LE(stats.put_back, 2U);  // alone none is ended
  // And back up: what needs little runs side by side again.
  Gate gate;
  Gate began;
  const auto meets = [](const std::string& knock, const std::string& pass) {
    Gate::knock(knock);
    Gate::pass(pass);
    return 1;
  };
  std::vector<Future<int>> small;
  for (int i = 0; i < 4; ++i) small.push_back(pool.submit(meets, began.path(), gate.path()));
  began.await(4);
  gate.open(4);
  for (const auto& future : small) EXPECT_EQ(future.get(), 1);
}

TEST_F(P8Memory, WhoNeedsMoreThanAllFails) {
  Ledger ledger(1);
  PoolOptions options = small_pool();
  options.memory_budget = 300 * mb;
  Pool pool(options);
  const auto outcome = pool.submit(takes, ledger.path(), std::size_t{0}, std::size_t{4096} * mb).outcome();
  ASSERT_NE(outcome.report(), nullptr);
  EXPECT_EQ(outcome.report()->cause, Cause::memory_limit);
  EXPECT_THAT(outcome.report()->evidence, ::testing::HasSubstr("together"));
  EXPECT_EQ(outcome.report()->attempt, 1);
  EXPECT_EQ(ledger.runs(0), 2);  // once more, alone
  EXPECT_EQ(pool.submit([] { return 5; }).get(), 5);
}

/// Which elements are the big ones, and where those of a first attempt meet.
struct Meeting {
  std::string ledger;
  std::string knock;
  std::string pass;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(ledger, knock, pass);
  }
};

/// Element 1 of each four takes 350 MB, and holds them at its first attempt until the test lets it go. Gives its attempt.
unsigned takes_in_turn(const std::pair<Meeting, std::size_t>& element) {
  const auto& [meeting, number] = element;
  const int run = Ledger::note(meeting.ledger, number);
  if (number % 4 != 1) return hotspare::attempt();
  const std::vector<char> held(350 * mb, 'x');
  if (run == 1) knock_and_pass(meeting.knock, meeting.pass);
  return held[300 * mb] == 'x' ? hotspare::attempt() : 0;
}

/// Two chunks, each with a large element; there is memory for one of these. The element that is ended is run again alone,
/// and that is no attempt; the three around it run once.
class P8MemoryOfMaps : public P8Memory {
 protected:
  template <class Map>
  void expect_all(const Map& map, unsigned retries) {
    Ledger ledger(8);
    Gate begun;
    Gate gate;
    PoolOptions options = small_pool();
    options.memory_budget = 600 * mb;
    options.on_event = [&gate](const Event& event) {
      if (event.kind == Event::Kind::death) gate.open();  // for the one that is left
    };
    Pool pool(options);
    std::vector<std::pair<Meeting, std::size_t>> elements;
    for (std::size_t i = 0; i < 8; ++i) elements.push_back({{ledger.path(), begun.path(), gate.path()}, i});
    MapOptions each;
    each.chunk = 4;
    each.task.retries.attempts = retries;
    std::size_t given = 0;
    for (const unsigned attempt : map(pool, elements, each)) {
      EXPECT_EQ(attempt, 1U);
      ++given;
    }
    EXPECT_EQ(given, 8U);
    int runs = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      runs += ledger.runs(i);
      if (i % 4 != 1) {
        EXPECT_EQ(ledger.runs(i), 1) << i;
      }
    }
    EXPECT_EQ(runs, 9);
    const Stats stats = pool.stats();
    EXPECT_EQ(stats.put_back, 1U);
    EXPECT_EQ(stats.deaths, 1U);
    EXPECT_EQ(stats.retried, 0U);
  }
};

TEST_F(P8MemoryOfMaps, AnElementThatMadeRoomIsRunAgain) {
  const auto map = [](Pool& pool, auto& elements, const MapOptions& options) {
    return pool.map(takes_in_turn, elements, options);
  };
  expect_all(map, 1);
  expect_all(map, 3);
}

TEST_F(P8MemoryOfMaps, AnElementThatMadeRoomIsRunAgainUnordered) {
  const auto map = [](Pool& pool, auto& elements, const MapOptions& options) {
    return pool.map_unordered(takes_in_turn, elements, options);
  };
  expect_all(map, 1);
  expect_all(map, 3);
}

/// Alone it has no other chance.
TEST_F(P8Memory, AnElementThatNeedsMoreThanAllFails) {
  Ledger ledger(4);
  PoolOptions options = small_pool();
  options.memory_budget = 300 * mb;
  Pool pool(options);
  std::vector<std::pair<std::string, std::size_t>> elements;
  for (std::size_t i = 0; i < 4; ++i) elements.emplace_back(ledger.path(), i);
  const auto f = [](const std::pair<std::string, std::size_t>& element) {
    return takes(element.first, element.second, element.second == 1 ? 4096 * mb : mb);
  };
  int good = 0;
  int bad = 0;
  auto results = pool.map(f, elements, {.chunk = 4});
  for (auto at = results.begin(); at != results.end(); ++at) {
    try {
      good += *at == mb ? 1 : 0;
    } catch (const WorkerDied& death) {
      ++bad;
      EXPECT_EQ(death.report().cause, Cause::memory_limit);
      EXPECT_EQ(death.report().attempt, 1);
    }
  }
  EXPECT_EQ(good, 3);
  EXPECT_EQ(bad, 1);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(ledger.runs(i), i == 1 ? 2 : 1);
  EXPECT_EQ(pool.stats().put_back, 1U);
}

/// What others do not notice.
TEST_F(P8Memory, NeighboursAreNotTouched) {
  Ledger ledger(100);
  PoolOptions options = small_pool();
  options.memory_budget = 400 * mb;
  Pool pool(options);
  TaskOptions limited;
  limited.memory_limit = 100 * mb;
  auto greedy = pool.submit(takes, ledger.path(), std::size_t{0}, std::size_t{4096} * mb);
  auto bounded = pool.submit(limited, takes, ledger.path(), std::size_t{1}, std::size_t{4096} * mb);
  std::vector<Future<std::size_t>> others;
  for (std::size_t task = 2; task < 100; ++task) others.push_back(pool.submit(takes, ledger.path(), task, 2 * mb));
  for (std::size_t task = 2; task < 100; ++task) EXPECT_EQ(others[task - 2].get(), 2 * mb);
  EXPECT_EQ(greedy.outcome().report()->cause, Cause::memory_limit);
  EXPECT_EQ(bounded.outcome().report()->cause, Cause::memory_limit);
  EXPECT_THAT(bounded.outcome().report()->evidence, ::testing::HasSubstr("limit of 100 MB"));
  EXPECT_EQ(ledger.runs(1), 1);
}

TEST_F(P8Memory, AWorkerThatHasGrownIsReplaced) {
  PoolOptions options = small_pool();
  options.workers = 1;
  options.recycle_above = 200 * mb;
  Pool pool(options);
  const auto leaks = [](std::size_t bytes) {
    static std::vector<std::vector<char>>& leaked = *new std::vector<std::vector<char>>;
    leaked.emplace_back(bytes, 'x');
    return ::getpid();
  };
  const auto first = pool.submit(leaks, 10 * mb).get();
  EXPECT_EQ(pool.submit(leaks, 10 * mb).get(), first);
  EXPECT_EQ(pool.submit(leaks, 250 * mb).get(), first);
  EXPECT_NE(pool.submit(leaks, 10 * mb).get(), first);
  pool.shutdown();
  EXPECT_EQ(pool.stats().deaths, 0U);
}

TEST(P8Oom, TheKernelTakesWorkersBeforeTheHost) {
  Pool pool(small_pool());
  const auto score = [] {
    int value = 0;
    std::ifstream("/proc/self/oom_score_adj") >> value;
    return value;
  };
  EXPECT_GE(pool.submit(score).get(), 500);
}

}  // namespace
}  // namespace hotspare::testing
