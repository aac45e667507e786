#include "bare.hpp"
#include "groups.hpp"
#include "pool_watch.hpp"

#include <csignal>
#include <string>
#include <sys/types.h>

/// From the death of an idle worker or spare until the pool is as strong as before.
namespace bench {
namespace {

enum class Killed : unsigned char { worker, spare };

Samples refills_us(Killed killed, int rounds) {
  PoolWatch watch;
  hotspare::Pool pool(watch.observe({.workers = 1, .spares = 1}));
  watch.wait_for(2, 0);
  Samples samples;
  for (int i = 1; i <= rounds; ++i) {
    rest_ms(2);
    const auto pids = pool.worker_pids();
    const auto pid = static_cast<pid_t>(killed == Killed::worker ? pids.front() : pids.back());
    const std::int64_t start = now_ns();
    ::kill(pid, SIGKILL);
    watch.wait_for(2 + static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(i));
    samples.add(static_cast<double>(watch.last_ready_ns() - start) / 1e3);
  }
  return samples;
}

void add_rows(Report& report, const std::string& who, const Samples& times, const Samples& fork) {
  report.add({"kill of an idle " + who + " to full strength, p50",
              times.p50(),
              "us",
              {"bare fork of this process to the child's first statement, p50", fork.p50()},
              {}});
  report.add({"kill of an idle " + who + " to full strength, p99",
              times.p99(),
              "us",
              {"bare fork of this process to the child's first statement, p99", fork.p99()},
              {}});
}

}  // namespace

void refill(Run& run) {
  const int rounds = run.rounds(200, 20);
  const Samples fork = bare::fork_us(rounds);
  add_rows(run.report, "worker", refills_us(Killed::worker, rounds), fork);
  add_rows(run.report, "spare", refills_us(Killed::spare, rounds), fork);
}

}  // namespace bench
