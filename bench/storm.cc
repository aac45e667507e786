#include "groups.hpp"
#include "pool_watch.hpp"
#include "process.hpp"
#include "samples.hpp"

#include <csignal>
#include <ctime>
#include <string>
#include <unistd.h>
#include <vector>

/// A thousand tasks of 1 ms of which every 50th kills its worker, against the same thousand without kills.
namespace bench {
namespace {

constexpr int tasks = 1000;
constexpr int every = 50;

/// Processor time, not wall-clock time: what replacing the dead costs in cores must show.
void busy_1ms() {
  const auto used_ns = [] {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  };
  const std::int64_t start = used_ns();
  while (used_ns() - start < 1'000'000) continue;
}

void sleep_1ms() { rest_ms(1); }

/// The work comes first, so that calm and storm have the same amount of it.
template <void (*work)()>
int task(int number, bool kills) {
  work();
  if (kills && number % every == 0) ::kill(::getpid(), SIGKILL);
  return number;
}

struct Count {
  int good = 0;
  int died = 0;  ///< Of SIGKILL, in the tasks that did that.
  int wrong = 0;
};

template <void (*work)()>
double seconds(hotspare::Pool& pool, bool kills, Count& count) {
  std::vector<hotspare::Future<int>> futures;
  const std::int64_t start = now_ns();
  for (int i = 1; i <= tasks; ++i) futures.push_back(pool.submit(task<work>, i, kills));
  for (const auto& future : futures) future.wait();
  const std::int64_t time = now_ns() - start;
  for (int i = 1; i <= tasks; ++i) {
    const auto outcome = futures[static_cast<std::size_t>(i - 1)].outcome();
    const bool must_die = kills && i % every == 0;
    const auto& report = outcome.report();
    if (!must_die && outcome.ok() && *&outcome.value() == i) {
      ++count.good;
    } else if (must_die && report != nullptr && report->cause == hotspare::Cause::signal && report->signal == SIGKILL) {
      ++count.died;
    } else {
      ++count.wrong;
    }
  }
  return static_cast<double>(time) / 1e9;
}

template <void (*work)()>
void alternate(Run& run, const std::string& kind) {
  PoolWatch watch;
  hotspare::Pool pool(watch.observe({.workers = 2}));
  watch.wait_for(3, 0);
  Samples calm;
  Samples stormy;
  Count in_storm;
  const int rounds = run.rounds(7, 1);
  for (int i = 1; i <= rounds; ++i) {
    Count in_calm;
    calm.add(seconds<work>(pool, false, in_calm));
    stormy.add(seconds<work>(pool, true, in_storm));
    const auto deaths = static_cast<std::uint64_t>(i * tasks / every);
    watch.wait_for(3 + deaths, deaths);
  }
  const std::string counts = std::to_string(in_storm.good) + " good, " + std::to_string(in_storm.died) +
                             " WorkerDied of SIGKILL, " + std::to_string(in_storm.wrong) + " wrong in " +
                             std::to_string(rounds) + " storms";
  run.report.add({"storm, 1000 " + kind + " tasks of 1 ms, 20 kills",
                  stormy.p50(),
                  "s",
                  {"the same without kills", calm.p50()},
                  counts});
}

}  // namespace

void storm(Run& run) {
  alternate<busy_1ms>(run, "busy");
  alternate<sleep_1ms>(run, "sleeping");
}

}  // namespace bench
