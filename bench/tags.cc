#include "groups.hpp"
#include "process.hpp"

#include <hotspare/hotspare.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

/// A hundred tasks of one tag, 4 at once and 10 per second: what the tasks' own clocks saw. Every other task is long, so
/// that both limits have something to hold back.
namespace bench {
namespace {

constexpr std::size_t at_once = 4;
constexpr std::size_t per_second = 10;

using Times = std::pair<std::int64_t, std::int64_t>;  ///< Begin and end, ns.

Times rests(int ms) {
  const std::int64_t begin = now_ns();
  rest_ms(ms);
  return {begin, now_ns()};
}

std::vector<Times> run_tasks(int tasks) {
  hotspare::PoolOptions options;
  options.workers = 8;
  options.tags.emplace("service", hotspare::TagLimits{.at_once = at_once, .per_second = per_second});
  hotspare::Pool pool(options);
  hotspare::TaskOptions tagged;
  tagged.tags = {"service"};
  std::vector<hotspare::Future<Times>> futures;
  for (int i = 0; i < tasks; ++i) futures.push_back(pool.submit(tagged, rests, i % 2 == 0 ? 5 : 900));
  std::vector<Times> runs;
  for (const auto& future : futures) runs.push_back(future.get());
  std::sort(runs.begin(), runs.end());
  return runs;
}

double most_at_once(const std::vector<Times>& runs) {
  std::vector<std::pair<std::int64_t, int>> steps;
  for (const auto& [begin, end] : runs) {
    steps.emplace_back(begin, 1);
    steps.emplace_back(end, -1);
  }
  std::sort(steps.begin(), steps.end());
  int now = 0;
  int most = 0;
  for (const auto& [at, step] : steps) most = std::max(most, now += step);
  return most;
}

/// From one begin to the tenth after it, the shortest there was. The first clock of the two may have been read late, by
/// what a task waits for a processor between its begin and its first line.
double shortest_s(const std::vector<Times>& runs) {
  std::int64_t shortest = INT64_MAX;
  for (std::size_t i = per_second; i < runs.size(); ++i)
    shortest = std::min(shortest, runs[i].first - runs[i - per_second].first);
  return static_cast<double>(shortest) / 1e9;
}

}  // namespace

void tags(Run& run) {
  const int tasks = run.rounds(100, 24);
  const std::vector<Times> runs = run_tasks(tasks);
  const std::string of = std::to_string(tasks) + " tasks, by their own clocks";
  run.report.add({"tag of 4 at once and 10 per second: most at once", most_at_once(runs), "tasks", {"limit", 4}, of});
  run.report.add({"the same: from one begin to the tenth after it, shortest", shortest_s(runs), "s", {"limit", 1}, of});
}

}  // namespace bench
