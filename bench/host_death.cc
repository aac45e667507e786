#include "bare.hpp"
#include "groups.hpp"

#include <hotspare/hotspare.hpp>

#include <csignal>
#include <functional>
#include <poll.h>
#include <stdexcept>
#include <unistd.h>

/// From SIGKILL of the host, in the middle of a storm, until no process of its pool is left. All of them hold the write
/// end of one pipe: its end is the proof.
namespace bench {
namespace {

/// Rises while the storm blows; the host is killed once it has risen that far.
struct Storm {
  std::atomic<int> deaths{0};
  std::atomic<int> children{0};
  Gate in_full_swing;
};
constexpr int full_swing = 6;
constexpr int bare_children = 3;

[[noreturn]] void be_pool_host(Storm& storm) {
  hotspare::Pool pool({.workers = 2, .spares = 1});
  for (;;) {
    const auto dying = pool.submit([] { ::raise(SIGKILL); });
    const auto busy = pool.submit([](int value) { return value; }, 1);
    busy.wait();
    dying.wait();
    if (++storm.deaths == full_swing) storm.in_full_swing.open();
  }
}

/// As many processes, each told of its parent's death by the kernel. They count from when they have asked for that.
[[noreturn]] void be_bare_host(Storm& storm) {
  const auto wait_for_death = [&storm] {
    if (++storm.children == bare_children) storm.in_full_swing.open();
    for (;;) ::pause();
  };
  const Child first(wait_for_death);
  const Child second(wait_for_death);
  const Child third(wait_for_death);
  for (;;) ::pause();
}

Samples all_gone_ms(const std::function<void(Storm&)>& host, int rounds) {
  Samples samples;
  for (int i = 0; i < rounds; ++i) {
    const Shared<Storm> storm;
    int alive[2];
    if (::pipe(alive) != 0) throw std::runtime_error("host_death: no pipe");
    Child child([&] {
      ::close(alive[0]);
      host(*storm);
    });
    ::close(alive[1]);
    storm->in_full_swing.wait();
    rest_ms(i % 5);  // another moment of the storm each time
    const std::int64_t start = now_ns();
    child.kill();
    pollfd end{alive[0], POLLIN, 0};
    if (::poll(&end, 1, 30'000) != 1) throw std::runtime_error("host_death: a process outlived its host");
    samples.add(static_cast<double>(now_ns() - start) / 1e6);
    ::close(alive[0]);
  }
  return samples;
}

}  // namespace

void host_death(Run& run) {
  const int rounds = run.rounds(50, 5);
  const Samples bare = all_gone_ms(be_bare_host, rounds);
  const Samples pool = all_gone_ms(be_pool_host, rounds);
  const std::string limit = "three bare children with PR_SET_PDEATHSIG";
  run.report.add(
      {"SIGKILL of the host in a storm to all gone, p50", pool.p50(), "ms", {limit + ", p50", bare.p50()}, {}});
  run.report.add({"SIGKILL of the host in a storm to all gone, max",
                  pool.percentile(100),
                  "ms",
                  {limit + ", max", bare.percentile(100)},
                  {}});
}

}  // namespace bench
