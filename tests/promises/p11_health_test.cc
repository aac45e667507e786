#include "support/standby.hpp"
#include "support/witness.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <map>
#include <optional>
#include <sstream>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

/// P11. health() and openmetrics() equal what the saboteur counted himself, over pools and channels, living and closed.
namespace hotspare::testing {
namespace {

using namespace std::chrono_literals;

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
int sleep_for_ever() {
  for (;;) ::pause();
}

int tell_and_sleep(const std::string& beacon) {
  Beacon(beacon).tell(1);
  return sleep_for_ever();
}

/// What the saboteur did, by his own count.
struct Deeds {
  std::uint64_t pools = 0, channels = 0;
  std::uint64_t tasks = 0, values = 0, raised = 0;
  std::uint64_t kills = 0, faults = 0, exits = 0;
  std::uint64_t blocks = 0, strikes = 0;
  std::uint64_t worker_deaths() const { return kills + faults + exits; }
};

/// Tasks of each fate.
void sabotage(Pool& pool, Deeds& deeds) {
  std::vector<Future<int>> futures;
  for (int i = 0; i < 40; ++i) {
    const auto fate = static_cast<Fate>(i % 10 < 5 ? i % 5 : 0);
    futures.push_back(pool.submit(meet, fate));
    ++deeds.tasks;
    ++(fate == Fate::raise  ? deeds.raised
       : fate == Fate::kill ? deeds.kills
       : fate == Fate::segv ? deeds.faults
       : fate == Fate::exit ? deeds.exits
                            : deeds.values);
  }
  for (const auto& future : futures) future.outcome();
}

/// Opens a channel for as long as it lives, and kills its replicas, one at a time, while blocks flow.
template <class P>
class Sabotaged {
 public:
  Sabotaged(const std::string& name, StandbyMode mode, Deeds& deeds)
      : deaths_(Event::Kind::death, name), channel_(named(name, mode), beacon_.path()), deeds_(deeds) {
    ++deeds_.channels;
  }
  void send(int blocks) {
    std::array<std::byte, 8> in{};
    std::array<std::byte, 8> out{};
    for (int i = 0; i < blocks; ++i, ++deeds_.blocks)
      EXPECT_EQ(channel_.process(in, out, std::chrono::steady_clock::now() + 60s), BlockOutcome::answered);
  }
  void sabotage(int times) {
    for (int i = 0; i < times; ++i) {
      ASSERT_TRUE(channel_.wait_in_step(2));
      send(3);
      ASSERT_EQ(::kill(static_cast<pid_t>(channel_.replica_pids().front()), SIGKILL), 0);
      ++deeds_.strikes;
      deaths_.await(++told_);
      send(3);
    }
    ASSERT_TRUE(channel_.wait_in_step(2));
  }
  StandbyChannel<P>& channel() { return channel_; }

 private:
  static StandbyOptions named(const std::string& name, StandbyMode mode) {
    StandbyOptions options = small_channel(mode);
    options.name = name;
    return options;
  }
  const Beacon beacon_;
  Witness deaths_;
  std::uint64_t told_ = 0;
  StandbyChannel<P> channel_;
  Deeds& deeds_;
};

Histogram minus(Histogram now, const Histogram& before) {
  for (std::size_t i = 0; i < now.counts.size(); ++i) now.counts[i] -= before.counts[i];
  return now;
}

/// What has been counted since the test began: others may have run in this process before.
class P11Health : public ::testing::Test {
 protected:
  /// In a fork of the process, too, which begins anew.
  void begin() {
    before_ = health();
    samples_before_ = samples();
  }
  Health since() const {
    Health now = health();
    now.pools_made -= before_.pools_made;
    now.channels_made -= before_.channels_made;
    for (const auto counter : {&Stats::submitted, &Stats::values, &Stats::raised, &Stats::died, &Stats::deaths})
      now.pools.*counter -= before_.pools.*counter;
    for (const auto counter : {&StandbyStats::blocks, &StandbyStats::answered, &StandbyStats::deaths,
                               &StandbyStats::deaths_before_ready, &StandbyStats::takeovers})
      now.channels.*counter -= before_.channels.*counter;
    for (std::size_t i = 0; i < cause_count; ++i) {
      now.pools.deaths_by_cause[i] -= before_.pools.deaths_by_cause[i];
      now.channels.deaths_by_cause[i] -= before_.channels.deaths_by_cause[i];
    }
    now.pools.detection = minus(now.pools.detection, before_.pools.detection);
    for (const auto times : {&StandbyStats::latency, &StandbyStats::takeover, &StandbyStats::rejoin})
      now.channels.*times = minus(now.channels.*times, before_.channels.*times);
    return now;
  }
  void expect_equal(const Deeds& deeds) const;
  static std::map<std::string, double> samples();
  double sample(const std::string& metric, const std::string& kind, const std::string& name,
                const std::string& more = "") const {
    const std::string series = "hotspare_" + metric + "{kind=\"" + kind + "\",name=\"" + name + "\"" + more + "}";
    const auto before = samples_before_.find(series);
    return samples().at(series) - (before == samples_before_.end() ? 0 : before->second);
  }
  static void expect_empty() {
    const Health now = health();
    EXPECT_EQ(now.pools_made + now.pools_open + now.channels_made + now.channels_open, 0u);
    EXPECT_EQ(now.pools.submitted + now.pools.deaths + now.channels.blocks, 0u);
    EXPECT_TRUE(samples().empty());
  }

 private:
  void SetUp() override { begin(); }
  Health before_;
  std::map<std::string, double> samples_before_;
};

void P11Health::expect_equal(const Deeds& deeds) const {
  const Health now = since();
  EXPECT_EQ(now.pools_made, deeds.pools);
  EXPECT_EQ(now.channels_made, deeds.channels);
  EXPECT_EQ(now.pools.submitted, deeds.tasks);
  EXPECT_EQ(now.pools.values, deeds.values);
  EXPECT_EQ(now.pools.raised, deeds.raised);
  EXPECT_EQ(now.pools.died, deeds.worker_deaths());
  EXPECT_EQ(now.pools.deaths, deeds.worker_deaths());
  EXPECT_EQ(now.pools.deaths_by_cause[static_cast<std::size_t>(Cause::signal)], deeds.kills + deeds.faults);
  EXPECT_EQ(now.pools.deaths_by_cause[static_cast<std::size_t>(Cause::exited)], deeds.exits);
  EXPECT_EQ(now.pools.detection.count(), deeds.faults);  // the others left no note
  EXPECT_EQ(now.channels.blocks, deeds.blocks);
  EXPECT_EQ(now.channels.answered, deeds.blocks);
  EXPECT_EQ(now.channels.latency.count(), deeds.blocks);
  EXPECT_EQ(now.channels.deaths, deeds.strikes);
  EXPECT_EQ(now.channels.deaths_by_cause[static_cast<std::size_t>(Cause::signal)], deeds.strikes);
  EXPECT_EQ(now.channels.takeovers, deeds.strikes);
  EXPECT_EQ(now.channels.takeover.count(), deeds.strikes);
}

/// Series and value.
std::map<std::string, double> P11Health::samples() {
  std::istringstream text(openmetrics());
  std::map<std::string, double> all;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("#")) continue;
    const std::size_t gap = line.rfind(' ');
    EXPECT_TRUE(all.emplace(line.substr(0, gap), std::stod(line.substr(gap + 1))).second) << "twice: " << line;
  }
  return all;
}
TEST_F(P11Health, ClosedOnesStay) {
  Deeds deeds;
  for (const std::string name : {"alpha", "beta", "alpha"}) {
    {
      Pool pool(pool_named(name));
      ++deeds.pools;
      sabotage(pool, deeds);
      EXPECT_EQ(health().pools_open, 1u);
      expect_equal(deeds);
    }
    expect_equal(deeds);
  }
  Sabotaged<Chain>("gamma", StandbyMode::lockstep, deeds).sabotage(3);
  expect_equal(deeds);
  Sabotaged<SavedChain>("delta", StandbyMode::replay, deeds).sabotage(3);
  expect_equal(deeds);
  const Health now = since();
  EXPECT_EQ(now.pools_open + now.channels_open, 0u);
  EXPECT_EQ(now.pools.workers + now.pools.spares + now.channels.in_step, 0u);
  EXPECT_EQ(now.channels.rejoin.count(), deeds.strikes);

  EXPECT_EQ(sample("made_total", "pool", "alpha"), 2);
  EXPECT_EQ(sample("tasks_submitted_total", "pool", "alpha"), 80);
  EXPECT_EQ(sample("tasks_submitted_total", "pool", "beta"), 40);
  EXPECT_EQ(sample("deaths_total", "pool", "beta", ",cause=\"signal\""), 8);
  EXPECT_EQ(sample("deaths_total", "pool", "beta", ",cause=\"exited\""), 4);
  EXPECT_EQ(sample("deaths_total", "standby", "gamma", ",cause=\"signal\""), 3);
  EXPECT_EQ(sample("takeover_seconds_count", "standby", "delta"), 3);
  EXPECT_EQ(sample("open", "standby", "delta"), 0);
}

/// A program with threads, which other pools have, makes them with Start::exec.
TEST_F(P11Health, LivingAndClosedOnesTogether) {
  if (start_method() == Start::fork) GTEST_SKIP() << "one pool at a time";
  Deeds deeds;
  std::optional<Pool> first(pool_named("alpha"));
  Pool second(pool_named("beta"));
  Sabotaged<Chain> gamma("gamma", StandbyMode::lockstep, deeds);
  std::optional<Sabotaged<SavedChain>> delta(std::in_place, "delta", StandbyMode::replay, deeds);
  deeds.pools = 2;
  sabotage(*first, deeds);
  sabotage(second, deeds);
  EXPECT_EQ(health().pools_open, 2u);
  EXPECT_EQ(health().channels_open, 2u);
  gamma.sabotage(2);
  delta->sabotage(3);
  EXPECT_EQ(gamma.channel().stats().deaths, 2u);
  EXPECT_EQ(delta->channel().stats().deaths, 3u);
  expect_equal(deeds);
  first.reset();
  sabotage(second, deeds);
  expect_equal(deeds);
  delta.reset();
  const Health now = health();
  EXPECT_EQ(now.pools_open, 1u);
  EXPECT_EQ(now.channels_open, 1u);
  EXPECT_EQ(now.channels.in_step, 2u);
  expect_equal(deeds);
  EXPECT_EQ(sample("deaths_total", "pool", "alpha", ",cause=\"signal\""), 8);
  EXPECT_EQ(sample("deaths_total", "pool", "beta", ",cause=\"signal\""), 16);
  EXPECT_EQ(sample("deaths_total", "standby", "gamma", ",cause=\"signal\""), 2);
  EXPECT_EQ(sample("deaths_total", "standby", "delta", ",cause=\"signal\""), 3);
}

TEST_F(P11Health, NoCounterEverGoesDown) {
  if (start_method() == Start::fork) GTEST_SKIP() << "this process has threads";
  std::atomic<bool> done{false};
  std::thread scraper([&done] {
    std::map<std::string, double> before;
    for (int scrapes = 0; scrapes < 3 || !done; ++scrapes) {
      auto now = samples();
      for (const auto& [series, value] : before) {
        const auto found = now.find(series);
        ASSERT_NE(found, now.end()) << series;
        const bool counter =
            series.find("_total{") != std::string::npos || series.find("_seconds_") != std::string::npos;
        if (counter) {
          ASSERT_GE(found->second, value) << series;
        }
      }
      before = std::move(now);
    }
  });
  Deeds deeds;
  for (int round = 0; round < 3; ++round) {
    Pool pool(pool_named("pool " + std::to_string(round % 2)));
    ++deeds.pools;
    sabotage(pool, deeds);
    Sabotaged<Chain>("channel", StandbyMode::lockstep, deeds).sabotage(1);
  }
  done = true;
  scraper.join();
  expect_equal(deeds);
}

/// Runs it in a fork of this process; whether it was content.
template <class F>
void in_fork(F check) {
  const pid_t child = ::fork();
  if (child == 0) {
    check();
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
}

TEST_F(P11Health, AForkBeginsWithAnEmptyOneThatWorks) {
  Deeds deeds;
  std::uint64_t parents_events = 0;
  const Subscription parents = subscribe([&](const Event&) { ++parents_events; });
  {
    Pool pool(pool_named("alpha"));
    ++deeds.pools;
    sabotage(pool, deeds);
  }
  in_fork([&] {
    expect_empty();
    begin();
    parents_events = 0;
    Deeds own;
    Witness deaths;
    {
      Pool pool(pool_named("alpha"));
      ++own.pools;
      sabotage(pool, own);
      deaths.await(own.worker_deaths());
    }
    expect_equal(own);
    EXPECT_EQ(parents_events, 0u);
  });
  expect_equal(deeds);
}

/// Whatever lock another thread holds at that moment.
TEST_F(P11Health, ForksWhileOthersScrape) {
  if (start_method() == Start::fork) GTEST_SKIP() << "this process has threads";
  Pool pool(pool_named("alpha"));
  std::atomic<bool> done{false};
  const auto scrape = [&done] {
    while (!done) {
      health();
      const Subscription passing = subscribe([](const Event&) {});
    }
  };
  std::thread one(scrape);
  std::thread two(scrape);
  for (int i = 0; i < 20; ++i) {
    in_fork([] {
      expect_empty();
      const Subscription own = subscribe([](const Event&) {});
    });
  }
  done = true;
  one.join();
  two.join();
  EXPECT_EQ(health().pools_open, 1u);
}

TEST_F(P11Health, WorkersHaveOneOfTheirOwn) {
  { const Pool first(pool_named("alpha")); }
  Pool pool(pool_named("alpha"));
  EXPECT_EQ(pool.submit([] { return health().pools_made; }).get(), 0u);
  EXPECT_EQ(since().pools_made, 2u);
}

class DiesAtOnce {
 public:
  explicit DiesAtOnce(int) { ::raise(SIGSEGV); }
  void process(std::span<const std::byte>, std::span<std::byte>) {}
};

TEST_F(P11Health, ChannelsThatCannotBeMadeCount) {
  StandbyOptions options = small_channel(StandbyMode::lockstep);
  options.breaker_deaths = 3;
  EXPECT_THROW(StandbyChannel<DiesAtOnce>(options, 1), Error);
  const Health now = since();
  EXPECT_EQ(now.channels_made, 1u);
  EXPECT_EQ(now.channels_open, 0u);
  EXPECT_GE(now.channels.deaths, 3u);
  EXPECT_EQ(now.channels.deaths_before_ready, now.channels.deaths);
}

TEST_F(P11Health, DetectionOfDeathsWhoseInstantIsKnown) {
  Witness deaths;
  {
    Pool pool(pool_named("alpha"));
    pool.submit(meet, Fate::segv).outcome();
    pool.submit(meet, Fate::kill).outcome();
    pool.submit(meet, Fate::exit).outcome();
    EXPECT_EQ(pool.stats().detection.count(), 1u);
    TaskOptions limited;
    limited.timeout = 5ms;
    pool.submit(limited, sleep_for_ever).outcome();
    limited = {};
    limited.progress_timeout = 5ms;
    pool.submit(limited, sleep_for_ever).outcome();
    EXPECT_EQ(pool.stats().detection.count(), 3u);
    const Beacon begun;
    const auto doomed = pool.submit(tell_and_sleep, begun.path());
    begun.wait();
    doomed.cancel(Cancel::kill);
    deaths.await(6);
    EXPECT_EQ(pool.stats().deaths, 6u);
    EXPECT_EQ(pool.stats().detection.count(), 3u);
  }
  EXPECT_EQ(since().pools.detection.count(), 3u);
}

TEST_F(P11Health, DetectionOfReplicasThatWeStrike) {
  Deeds deeds;
  Witness deaths;
  StandbyOptions options = small_channel(StandbyMode::lockstep);
  const Beacon beacon;
  StandbyChannel<Chain> channel(options, beacon.path());
  std::array<std::byte, 8> in{};
  std::array<std::byte, 8> out{};
  std::uint64_t dead = 0;
  for (const chaos::How how : {chaos::How::sigkill, chaos::How::sigsegv, chaos::How::stop}) {
    ASSERT_TRUE(channel.wait_in_step(2));
    ASSERT_NE(channel.strike(how), 0);
    ++dead;
    while (channel.stats().deaths < dead) channel.process(in, out, std::chrono::steady_clock::now() + 60s);
    EXPECT_EQ(channel.stats().detection.count(), dead);
  }
  channel.process(in, out, std::chrono::steady_clock::now() + 60s);
  const StandbyStats stats = channel.stats();
  EXPECT_EQ(stats.hangs, 1u);
  EXPECT_EQ(stats.takeovers, dead);
  EXPECT_EQ(stats.takeover.count(), dead);
}

TEST_F(P11Health, RecoveryOfEachDeathOfAReadyWorker) {
  Witness ready(Event::Kind::worker_ready);
  Pool pool(pool_named("alpha"));
  ready.await(3);
  constexpr std::uint64_t deaths = 5;
  for (std::uint64_t i = 0; i < deaths; ++i) pool.submit(meet, Fate::kill).outcome();
  ready.await(3 + deaths);
  EXPECT_EQ(pool.stats().recovery.count(), deaths);
}

}  // namespace
}  // namespace hotspare::testing
