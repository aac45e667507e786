#include "bare.hpp"
#include "groups.hpp"

#include <hotspare/hotspare.hpp>

#include <span>
#include <string>
#include <vector>

/// Tasks whose argument and result have the same size, submit all and collect all.
namespace bench {
namespace {

std::vector<char> echo(std::span<const char> bytes) { return {bytes.begin(), bytes.end()}; }

double tasks_per_second(hotspare::Pool& pool, std::size_t bytes, std::size_t tasks) {
  const std::vector<char> argument(bytes, 'x');
  std::vector<hotspare::Future<std::vector<char>>> futures;
  futures.reserve(tasks);
  const std::int64_t start = now_ns();
  for (std::size_t i = 0; i < tasks; ++i) futures.push_back(pool.submit(echo, std::span<const char>(argument)));
  for (auto& future : futures) {
    if (future.get().size() != bytes) throw hotspare::Error("payload_sizes: a wrong result");
    future = {};
  }
  return static_cast<double>(tasks) * 1e9 / static_cast<double>(now_ns() - start);
}

struct Size {
  const char* name;
  std::size_t bytes;
  std::size_t tasks;
};

}  // namespace

void payload_sizes(Run& run) {
  hotspare::Pool pool({.workers = 2});
  for (const Size& size : {Size{"64 B", 64, 200'000}, Size{"4 kB", 4096, 50'000}, Size{"60 kB", 60'000, 4'000},
                           Size{"64 kB", 65'536, 4'000}}) {
    const std::size_t tasks = run.quick ? size.tasks / 20 : size.tasks;
    Samples pooled;
    Samples ring;
    tasks_per_second(pool, size.bytes, tasks / 10);
    for (int i = 0; i < run.rounds(3, 1); ++i) {
      ring.add(bare::ring_rate(size.bytes, size.bytes > 10'000 ? 20'000 : 1'000'000));
      pooled.add(tasks_per_second(pool, size.bytes, tasks));
    }
    run.report.add({std::string(size.name) + " argument and result, 2 workers",
                    pooled.p50(),
                    "tasks/s",
                    {"bare ring, messages of this size, one way", ring.p50()},
                    {}});
  }
}

}  // namespace bench
