#include "bare.hpp"
#include "groups.hpp"

#include <hotspare/hotspare.hpp>

#include <vector>

/// How many tasks that do nothing go through the pool in a second.
namespace bench {
namespace {

void nothing() {}

struct Times {
  std::int64_t submitted = 0;  ///< ns until all were submitted,
  std::int64_t collected = 0;  ///< and until all were collected.
};

Times submit_and_collect(hotspare::Pool& pool, std::size_t tasks) {
  std::vector<hotspare::Future<void>> futures;
  futures.reserve(tasks);
  Times times;
  const std::int64_t start = now_ns();
  for (std::size_t i = 0; i < tasks; ++i) futures.push_back(pool.submit(nothing));
  times.submitted = now_ns() - start;
  for (const auto& future : futures) future.get();
  times.collected = now_ns() - start;
  return times;
}

}  // namespace

void throughput(Run& run) {
  const std::size_t tasks = run.quick ? 100'000 : 1'000'000;
  const auto per_second = [&](std::int64_t ns) { return static_cast<double>(tasks) * 1e9 / static_cast<double>(ns); };
  Samples all;
  Samples submit;
  Samples ring;
  hotspare::Pool pool({.workers = 2});
  submit_and_collect(pool, tasks / 10);
  for (int i = 0; i < run.rounds(5, 2); ++i) {
    ring.add(bare::ring_rate(64, 10'000'000));
    const Times times = submit_and_collect(pool, tasks);
    submit.add(per_second(times.submitted));
    all.add(per_second(times.collected));
  }
  const Limit limit{"bare ring, 64-byte messages, one way", ring.p50()};
  run.report.add({"no-op tasks, submit all and collect all, 2 workers", all.p50(), "tasks/s", limit, {}});
  run.report.add({"  of which submit alone", submit.p50(), "tasks/s", limit, {}});
}

}  // namespace bench
