#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <mutex>
#include <random>
#include <vector>

/// P11. Counters equal what really happened. tests/chaos holds the pool's deaths against the saboteur's own log; here
/// every counter is held against what the callers saw and what the events told.
namespace hotspare::testing {
namespace {

enum class Fate : int { value, raise, kill, segv, exit };

int meet(Fate fate) {
  switch (fate) {
    case Fate::raise: throw std::runtime_error("as told");
    case Fate::kill: ::raise(SIGKILL); break;
    case Fate::segv: ::raise(SIGSEGV); break;
    case Fate::exit: ::_exit(3);
    case Fate::value: break;
  }
  return 7;
}

struct Seen {
  std::mutex mutex;
  std::map<Event::Kind, int> events;
  std::map<Cause, int> causes;
};

TEST(P11TrueFigures, CountersEqualWhatCallersAndEventsSaw) {
  Seen seen;
  std::map<Outcome<int>::Kind, std::uint64_t> outcomes;
  Stats stats;
  {
    PoolOptions options = small_pool();
    options.on_event = [&seen](const Event& event) {
      std::lock_guard lock(seen.mutex);
      ++seen.events[event.kind];
      if (event.report != nullptr) ++seen.causes[event.report->cause];
    };
    Pool pool(options);
    std::mt19937 random(11);
    std::vector<Future<int>> futures;
    for (int i = 0; i < 600; ++i) {
      const auto draw = static_cast<int>(random() % 20);
      futures.push_back(pool.submit(meet, draw < 5 ? static_cast<Fate>(draw) : Fate::value));
    }
    std::uint64_t cancelled = 0;
    for (std::size_t i = 500; i < futures.size(); i += 2) cancelled += futures[i].cancel() ? 1 : 0;
    for (auto& future : futures) ++outcomes[future.outcome().kind()];
    EXPECT_EQ(outcomes[Outcome<int>::Kind::cancelled], cancelled);
    pool.shutdown();
    stats = pool.stats();
  }
  EXPECT_EQ(stats.submitted, 600u);
  EXPECT_EQ(stats.values, outcomes[Outcome<int>::Kind::value]);
  EXPECT_EQ(stats.raised, outcomes[Outcome<int>::Kind::raised]);
  EXPECT_EQ(stats.died, outcomes[Outcome<int>::Kind::died]);
  EXPECT_EQ(stats.cancelled, outcomes[Outcome<int>::Kind::cancelled]);
  EXPECT_EQ(stats.deaths, stats.died);
  EXPECT_EQ(stats.deaths_idle, 0u);
  EXPECT_EQ(stats.queued + stats.in_workers, 0u);
  EXPECT_EQ(static_cast<std::uint64_t>(seen.events[Event::Kind::death]), stats.deaths);
  EXPECT_EQ(static_cast<std::uint64_t>(seen.events[Event::Kind::takeover]), stats.takeovers);
  EXPECT_EQ(static_cast<std::uint64_t>(seen.events[Event::Kind::refill]), stats.forks);
  EXPECT_EQ(static_cast<std::uint64_t>(seen.events[Event::Kind::retired]), stats.retired);
  EXPECT_EQ(seen.causes[Cause::exited] + seen.causes[Cause::signal], static_cast<int>(stats.deaths));
}

}  // namespace
}  // namespace hotspare::testing
