#include "bare.hpp"
#include "groups.hpp"
#include "process.hpp"

#include <hotspare/hotspare.hpp>

#include <string>
#include <thread>

/// One task there and back: submit, run, get; nothing else under way.
namespace bench {
namespace {

void nothing() {}

Gate* long_task = nullptr;  ///< Inherited by the workers.
void wait_for_gate() { long_task->wait(); }

std::int64_t pool_round_trip(hotspare::Pool& pool) {
  const std::int64_t start = now_ns();
  pool.submit(nothing).get();
  return now_ns() - start;
}

struct Pair {
  Samples pool;
  Samples bare;
};

/// Pool and bare futexes in turns, so that both see the same weather.
Pair one_after_another(hotspare::Pool& pool, bare::Echo& echo, int rounds) {
  Pair pair;
  constexpr int turns = 4;
  for (int turn = 0; turn < turns; ++turn) {
    for (int i = 0; i < 500; ++i) echo.round_trip();
    for (int i = 0; i < rounds / turns; ++i) pair.bare.add(static_cast<double>(echo.round_trip()) / 1e3);
    for (int i = 0; i < 500; ++i) pool_round_trip(pool);
    for (int i = 0; i < rounds / turns; ++i) pair.pool.add(static_cast<double>(pool_round_trip(pool)) / 1e3);
  }
  return pair;
}

Pair after_idling(hotspare::Pool& pool, bare::Echo& echo, int rounds) {
  Pair pair;
  for (int i = 0; i < rounds; ++i) {
    rest_ms(10);
    pair.bare.add(static_cast<double>(echo.round_trip()) / 1e3);
    rest_ms(10);
    pair.pool.add(static_cast<double>(pool_round_trip(pool)) / 1e3);
  }
  return pair;
}

/// The other thread waits first, and so it is the one that looks after results.
Pair beside_a_waiting_thread(bare::Echo& echo, int rounds) {
  const Shared<Gate> gate;
  long_task = gate.get();
  hotspare::Pool pool({.workers = 2});
  std::thread waits([long_one = pool.submit(wait_for_gate)] { long_one.get(); });
  Pair pair = one_after_another(pool, echo, rounds);
  gate->open();
  waits.join();
  return pair;
}

void add_rows(Report& report, const std::string& when, const Pair& pair) {
  report.add({"one task there and back, " + when + ", p50",
              pair.pool.p50(),
              "us",
              {"bare two-wake futex round trip, p50", pair.bare.p50()},
              {}});
  report.add({"one task there and back, " + when + ", p99",
              pair.pool.p99(),
              "us",
              {"bare two-wake futex round trip, p99", pair.bare.p99()},
              {}});
}

}  // namespace

void round_trip(Run& run) {
  bare::Echo echo;
  add_rows(run.report, "while another thread waits for a long task",
           beside_a_waiting_thread(echo, run.rounds(4'000, 400)));
  hotspare::Pool pool({.workers = 2});
  add_rows(run.report, "just after another", one_after_another(pool, echo, run.rounds(20'000, 2'000)));
  add_rows(run.report, "after 10 ms idle", after_idling(pool, echo, run.rounds(300, 30)));
}

}  // namespace bench
