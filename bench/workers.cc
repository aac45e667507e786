#include "bare.hpp"
#include "groups.hpp"
#include "pool_watch.hpp"

#include <optional>
#include <string>
#include <vector>

/// What a pool costs as its workers grow in number.
namespace bench {
namespace {

void nothing() {}

double tasks_per_second(hotspare::Pool& pool, std::size_t tasks) {
  std::vector<hotspare::Future<void>> futures;
  futures.reserve(tasks);
  const std::int64_t start = now_ns();
  for (std::size_t i = 0; i < tasks; ++i) futures.push_back(pool.submit(nothing));
  for (const auto& future : futures) future.get();
  return static_cast<double>(tasks) * 1e9 / static_cast<double>(now_ns() - start);
}

void one_size(Run& run, unsigned workers, double fork_us, double ring) {
  PoolWatch watch;
  std::optional<hotspare::Pool> pool;
  const std::int64_t start = now_ns();
  pool.emplace(watch.observe({.workers = workers}));
  const std::int64_t constructed = now_ns();
  watch.wait_for(workers + 1, 0);
  const std::int64_t all_ready = now_ns();
  const std::size_t tasks = run.quick ? 20'000 : 300'000;
  tasks_per_second(*pool, tasks / 10);
  const double rate = tasks_per_second(*pool, tasks);
  const std::int64_t end = now_ns();
  pool.reset();
  const std::int64_t destroyed = now_ns();

  const std::string name = std::to_string(workers) + " workers: ";
  const auto ms = [](std::int64_t ns) { return static_cast<double>(ns) / 1e6; };
  const Limit forks{"as many bare forks one after another", fork_us * (workers + 1) / 1e3};
  run.report.add({name + "no-op tasks", rate, "tasks/s", {"bare ring, 64-byte messages, one way", ring}, {}});
  run.report.add({name + "constructor", ms(constructed - start), "ms", forks, {}});
  run.report.add({name + "until all are ready", ms(all_ready - start), "ms", forks, {}});
  run.report.add({name + "destructor", ms(destroyed - end), "ms", forks, {}});
}

}  // namespace

void workers(Run& run) {
  const double fork_us = bare::fork_us(run.rounds(200, 20)).p50();
  const double ring = bare::ring_rate(64, 10'000'000);
  for (const unsigned number : {1U, 2U, 8U, 64U, 256U}) one_size(run, number, fork_us, ring);
}

}  // namespace bench
