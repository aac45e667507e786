#include "groups.hpp"
#include "process.hpp"
#include "samples.hpp"

#include <hotspare/hotspare.hpp>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

/// What a journal costs: the same map with one and without, in turn.
namespace bench {
namespace {

int nothing(int number) { return number; }

int busy_1ms(int number) {
  const auto used_ns = [] {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  };
  const std::int64_t start = used_ns();
  while (used_ns() - start < 1'000'000) continue;
  return number;
}

/// Elements a second. Ends the program if one is wrong.
template <class View>
double rate(View&& view) {
  const std::int64_t start = now_ns();
  int expected = 0;
  for (const int each : view) {
    if (each != expected++) std::abort();
  }
  return expected * 1e9 / static_cast<double>(now_ns() - start);
}

/// A journal in the folder for temporary files, which goes with it.
class TemporaryJournal {
 public:
  ~TemporaryJournal() { std::filesystem::remove(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_ = std::filesystem::temp_directory_path() / ("hotspare-bench-" + std::to_string(now_ns()));
};

struct Rates {
  Samples plain, process, power, kept;
};

Rates measure(int (*task)(int), int tasks, int rounds) {
  Rates rates;
  hotspare::Pool pool({.workers = 2});
  std::vector<int> items(static_cast<std::size_t>(tasks));
  std::iota(items.begin(), items.end(), 0);
  for (int i = 0; i < rounds; ++i) {
    rates.plain.add(rate(pool.map(task, items)));
    for (const auto durability : {hotspare::Durability::process, hotspare::Durability::power}) {
      const bool power = durability == hotspare::Durability::power;
      const TemporaryJournal journal;
      hotspare::BatchOptions options;
      options.durability = durability;
      (power ? rates.power : rates.process).add(rate(pool.batch(journal.path(), options).map(task, items)));
      if (!power) rates.kept.add(rate(pool.batch(journal.path(), options).map(task, items)));
    }
  }
  return rates;
}

}  // namespace

void journal(Run& run) {
  const Rates noop = measure(nothing, run.quick ? 20'000 : 200'000, run.rounds(5, 2));
  const Limit plain{"the same map without a journal", noop.plain.p50()};
  run.report.add({"no-op tasks with a journal, durability process", noop.process.p50(), "tasks/s", plain, {}});
  run.report.add({"  durability power", noop.power.p50(), "tasks/s", plain, {}});
  run.report.add({"  given from the journal", noop.kept.p50(), "tasks/s", plain, {}});
  const Rates busy = measure(busy_1ms, run.quick ? 500 : 4'000, run.rounds(7, 2));
  const Limit busy_plain{"the same map without a journal", busy.plain.p50()};
  run.report.add({"tasks of 1 ms with a journal, durability process", busy.process.p50(), "tasks/s", busy_plain, {}});
  run.report.add({"  durability power", busy.power.p50(), "tasks/s", busy_plain, {}});
}

}  // namespace bench
