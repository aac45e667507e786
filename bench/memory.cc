#include "groups.hpp"
#include "pool_watch.hpp"
#include "process.hpp"

#include <fstream>
#include <string>

/// What a process that waits for work costs.
namespace bench {
namespace {

struct Memory {
  double private_kb = 0;
  double shared_by_kb = 0;  ///< PSS: its pages, each divided by the number of those who map it.
};

Memory memory_of(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
  Memory memory;
  std::string line;
  while (std::getline(file, line)) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string key = line.substr(0, colon);
    if (key == "Private_Clean" || key == "Private_Dirty") memory.private_kb += std::stod(line.substr(colon + 1));
    if (key == "Pss") memory.shared_by_kb = std::stod(line.substr(colon + 1));
  }
  return memory;
}

void nothing() {}

void add_rows(Report& report, const std::string& who, const Memory& memory, const Memory& bare) {
  report.add({"private memory of " + who,
              memory.private_kb,
              "kB",
              {"bare fork of this process, parked, private", bare.private_kb},
              {}});
  report.add(
      {"PSS of " + who, memory.shared_by_kb, "kB", {"bare fork of this process, parked, PSS", bare.shared_by_kb}, {}});
}

}  // namespace

void memory(Run& run) {
  const Shared<Gate> never;
  Shared<Gate> parked;
  const Child bare([&] {
    parked->open();
    never->wait();
  });
  parked->wait();
  rest_ms(5);
  const Memory limit = memory_of(bare.pid());
  PoolWatch watch;
  hotspare::Pool pool(watch.observe({.workers = 1, .spares = 1}));
  watch.wait_for(2, 0);
  for (int i = 0; i < 100; ++i) pool.submit(nothing).get();
  rest_ms(50);
  const auto pids = pool.worker_pids();
  add_rows(run.report, "an idle worker after 100 tasks", memory_of(pids.front()), limit);
  add_rows(run.report, "a spare", memory_of(pids.back()), limit);
  add_rows(run.report, "the zygote", memory_of(pool.zygote_pid()), limit);
}

}  // namespace bench
