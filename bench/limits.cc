#include "bare.hpp"
#include "groups.hpp"
#include "samples.hpp"

#include <hotspare/hotspare.hpp>

#include <csignal>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

/// What time limits cost, and how late they are.
namespace bench {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

void nothing() {}

double rate(hotspare::Pool& pool, std::size_t tasks, const hotspare::TaskOptions* options) {
  std::vector<hotspare::Future<void>> futures;
  futures.reserve(tasks);
  const std::int64_t start = now_ns();
  for (std::size_t i = 0; i < tasks; ++i)
    futures.push_back(options != nullptr ? pool.submit(*options, nothing) : pool.submit(nothing));
  for (const auto& future : futures) future.get();
  return static_cast<double>(tasks) * 1e9 / static_cast<double>(now_ns() - start);
}

volatile int spins = 0;
void spins_for_ever() {
  for (;;) spins = spins + 1;
}
void spins_with_signals_blocked() {
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  spins_for_ever();
}
void stops_itself() {
  ::raise(SIGSTOP);
  spins_for_ever();
}
void waits_for_a_child_that_spins() {
  const pid_t child = ::fork();
  if (child == 0) spins_for_ever();
  ::waitpid(child, nullptr, 0);
}

void lateness(Run& run, const std::string& kind, void (*hang)()) {
  constexpr std::int64_t limit_ns = 50'000'000;
  hotspare::Pool pool({.workers = 1, .spares = 1});
  hotspare::TaskOptions options;
  options.timeout = std::chrono::nanoseconds(limit_ns);
  Samples late;
  int stacks = 0;
  const int rounds = run.rounds(40, 5);
  for (int i = 0; i < rounds; ++i) {
    pool.submit(nothing).get();
    const std::int64_t start = now_ns();
    const auto outcome = pool.submit(options, hang).outcome();
    late.add(static_cast<double>(now_ns() - start - limit_ns) / 1e6);
    stacks += outcome.report() != nullptr && !outcome.report()->native_stack().empty() ? 1 : 0;
  }
  const std::string counts = std::to_string(stacks) + " of " + std::to_string(rounds) + " with their stack";
  const Limit limit{"at most", 20};
  run.report.add({"hung " + kind + ": deadline → outcome p50", late.p50(), "ms", limit, counts});
  run.report.add({"hung " + kind + ": deadline → outcome p99", late.p99(), "ms", limit, counts});
}

}  // namespace

void deadlines(Run& run) {
  const std::size_t tasks = run.quick ? 100'000 : 500'000;
  hotspare::PoolOptions pool_options{.workers = 2};
  pool_options.tags["held back"].at_once = 1;
  hotspare::Pool pool(pool_options);
  hotspare::TaskOptions timed;
  timed.timeout = hours(1);
  hotspare::TaskOptions pending = timed;
  pending.queue_timeout = hours(1);
  pending.tags = {"held back"};
  rate(pool, tasks / 5, nullptr);
  Samples without;
  Samples with;
  for (int i = 0; i < run.rounds(9, 3); ++i) {
    without.add(rate(pool, tasks, nullptr));
    with.add(rate(pool, tasks, &timed));
  }
  // One worker holds the pending ones back.
  auto first = pool.submit(pending, [] { ::pause(); });
  hotspare::TaskOptions held = pending;
  held.timeout = held.queue_timeout = std::chrono::nanoseconds(0);
  const auto beside = [&](const hotspare::TaskOptions& options) {
    std::vector<hotspare::Future<void>> waiting;
    for (int n = 0; n < 100'000; ++n) waiting.push_back(pool.submit(options, nothing));
    const double measured = rate(pool, tasks, nullptr);
    for (const auto& future : waiting) future.cancel();
    return measured;
  };
  Samples beside_held;
  Samples beside_pending;
  for (int i = 0; i < run.rounds(9, 3); ++i) {
    beside_held.add(beside(held));
    beside_pending.add(beside(pending));
  }
  first.cancel(hotspare::Cancel::kill);
  const Limit plain{"without", without.p50()};
  run.report.add({"no-op tasks, each with a deadline", with.p50(), "tasks/s", plain, {}});
  const Limit none{"beside 100 000 tasks without", beside_held.p50()};
  run.report.add({"no-op tasks beside 100 000 pending deadlines, 1 worker", beside_pending.p50(), "tasks/s", none, {}});
}

void hangs(Run& run) {
  lateness(run, "in while (1)", spins_for_ever);
  lateness(run, "with all signals blocked", spins_with_signals_blocked);
  lateness(run, "under SIGSTOP", stops_itself);
  lateness(run, "in a child of its own", waits_for_a_child_that_spins);
}

}  // namespace bench
