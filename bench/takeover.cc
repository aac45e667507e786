#include "bare.hpp"
#include "groups.hpp"
#include "pool_watch.hpp"

#include <csignal>
#include <string>
#include <unistd.h>

/// From the death of a worker until the task queued behind its victim runs on the spare.
namespace bench {
namespace {

struct Stage {
  Gate resident;
  Gate fault;
  std::atomic<pid_t> pid{0};
  std::atomic<std::int64_t> dies_at{0};
};
Stage* stage = nullptr;  ///< Inherited by the workers.

void victim(std::uint64_t bytes) {
  make_resident(bytes);
  stage->pid.store(::getpid());
  stage->resident.open();
  stage->fault.wait();
  volatile int* volatile nowhere = nullptr;
  stage->dies_at.store(now_ns());
  *nowhere = 1;  // NOLINT(clang-analyzer-core.NullDereference): a real SIGSEGV
}

std::int64_t successor() { return now_ns(); }

struct Times {
  Samples takeover;  ///< µs until the next task runs.
  Samples report;    ///< µs until the victim's future says WorkerDied.
};

void one_death(hotspare::Pool& pool, int signal, std::size_t resident, Times& times) {
  stage->resident.reset();
  stage->fault.reset();
  const auto first = pool.submit(victim, std::uint64_t{resident});
  stage->resident.wait();
  const auto next = pool.submit(successor);
  rest_ms(2);
  if (signal == SIGKILL) {
    stage->dies_at.store(now_ns());
    ::kill(stage->pid.load(), SIGKILL);
  } else {
    stage->fault.open();
  }
  const std::int64_t runs_at = next.get();
  first.wait();
  const std::int64_t known_at = now_ns();
  const auto report = first.outcome().report();
  if (report == nullptr) throw hotspare::Error("takeover: the victim lives");
  if (report->signal != signal) throw hotspare::Error("takeover: a wrong cause: " + report->summary());
  const std::int64_t died_at = stage->dies_at.load();
  times.takeover.add(static_cast<double>(runs_at - died_at) / 1e3);
  times.report.add(static_cast<double>(known_at - died_at) / 1e3);
}

Times deaths(int signal, std::size_t resident, int rounds) {
  PoolWatch watch;
  hotspare::Pool pool(watch.observe({.workers = 1, .spares = 1}));
  watch.wait_for(2, 0);
  Times times;
  for (int i = 1; i <= rounds; ++i) {
    one_death(pool, signal, resident, times);
    watch.wait_for(2 + static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(i));
  }
  return times;
}

struct Size {
  std::string name;
  std::size_t bytes;
};

void add_rows(Report& report, const std::string& what, const Samples& times, const std::string& limit_name,
              const Samples& limit) {
  report.add({what + ", p50", times.p50(), "us", {limit_name + ", p50", limit.p50()}, {}});
  report.add({what + ", p99", times.p99(), "us", {limit_name + ", p99", limit.p99()}, {}});
}

void takeover(Run& run, const Size& size, int rounds, int pidfd_rounds) {
  const Shared<Stage> shared;
  stage = shared.get();
  const Samples bell = bare::death_notice_us(bare::Notice::robust_futex, size.bytes, rounds);
  const Samples pidfd = bare::death_notice_us(bare::Notice::pidfd, size.bytes, pidfd_rounds);
  const Times kill = deaths(SIGKILL, size.bytes, rounds);
  const Times fault = deaths(SIGSEGV, size.bytes, rounds);
  const std::string robust = "bare robust futex to a parked process";
  add_rows(run.report, "SIGKILL to the next task on the spare, " + size.name, kill.takeover, robust, bell);
  add_rows(run.report, "SIGSEGV to the next task on the spare, " + size.name, fault.takeover, robust, bell);
  add_rows(run.report, "SIGKILL to WorkerDied at the caller, " + size.name, kill.report, "bare pidfd notice", pidfd);
  add_rows(run.report, "SIGSEGV to WorkerDied at the caller, " + size.name, fault.report, "bare pidfd notice", pidfd);
}

}  // namespace

void takeover_1mb(Run& run) { takeover(run, {"1 MB resident", 1 << 20}, run.rounds(200, 20), run.rounds(200, 20)); }
void takeover_100mb(Run& run) { takeover(run, {"100 MB resident", 100 << 20}, run.rounds(60, 10), run.rounds(30, 5)); }
void takeover_1gb(Run& run) { takeover(run, {"1 GB resident", 1 << 30}, run.rounds(30, 3), run.rounds(10, 2)); }

}  // namespace bench
