#include "bare.hpp"
#include "groups.hpp"
#include "samples.hpp"

#include <hotspare/hotspare.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <new>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

/// What a memory limit costs, and how far a task comes that takes memory at 1 GB/s.
namespace bench {
namespace {

constexpr std::size_t mb = 1 << 20;
constexpr std::size_t step = 4 * mb;
constexpr std::size_t far = 1500 * mb;

/// Shared with the workers, which are forks: MB touched.
std::atomic<std::uint64_t>* touched = nullptr;

char* shared(std::size_t bytes) {
  return static_cast<char*>(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

/// At 1 GB/s, or with `pace` false as fast as the machine can.
void touch(volatile char* room, bool pace) {
  const std::int64_t begin = now_ns();
  for (std::size_t at = 0; at < step; at += 4096) room[at] = 1;
  touched->fetch_add(step / mb);
  while (pace && now_ns() - begin < static_cast<std::int64_t>(step)) {
  }
}
void heap() {
  for (std::size_t done = 0; done < far; done += step) touch(new char[step], true);  // NOLINT: kept on purpose
}
void shared_memory(bool pace) {
  char* const room = shared(far);
  for (std::size_t done = 0; done < far; done += step) touch(room + done, pace);
}
void shared_at_1_gb() { shared_memory(true); }
void shared_unpaced() { shared_memory(false); }
void in_child(void (*hog)()) {
  const pid_t child = ::fork();
  if (child == 0) {
    rlimit none{};
    ::getrlimit(RLIMIT_DATA, &none);
    none.rlim_cur = none.rlim_max;  // as a program may that it starts
    ::setrlimit(RLIMIT_DATA, &none);
    hog();
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
}
void heap_in_a_child() { in_child(heap); }
void shared_in_a_child() { in_child(shared_at_1_gb); }

void how_far(Run& run, const std::string& kind, void (*hog)()) {
  hotspare::Pool pool({.workers = 2, .spares = 1, .worker_stderr = hotspare::Stderr::capture});
  hotspare::TaskOptions options;
  options.memory_limit = 500 * mb;
  std::vector<double> reached;
  int right = 0;
  const int rounds = run.rounds(20, 3);
  for (int i = 0; i < rounds; ++i) {
    touched->store(0);
    const auto outcome = pool.submit(options, hog).outcome();
    const auto& report = outcome.report();
    right += report != nullptr && report->cause == hotspare::Cause::memory_limit && !report->native_stack().empty();
    reached.push_back(static_cast<double>(touched->load()));
  }
  std::sort(reached.begin(), reached.end());
  run.report.add({"limit 500 MB, " + kind + ": touched at most",
                  reached.back(),
                  "MB",
                  {"at most", 700},
                  "least " + std::to_string(static_cast<int>(reached.front())) + ", median " +
                      std::to_string(static_cast<int>(reached[reached.size() / 2])) + "; " + std::to_string(right) +
                      " of " + std::to_string(rounds) + " with the right cause and a stack"});
}

void nothing() {}

double rate(hotspare::Pool& pool, std::size_t tasks, const hotspare::TaskOptions& options) {
  std::vector<hotspare::Future<void>> futures;
  futures.reserve(tasks);
  const std::int64_t start = now_ns();
  for (std::size_t i = 0; i < tasks; ++i) futures.push_back(pool.submit(options, nothing));
  for (const auto& future : futures) future.get();
  return static_cast<double>(tasks) * 1e9 / static_cast<double>(now_ns() - start);
}

/// A task that works in memory which it has already: what looking at it takes from it.
double spin_ms() {
  const std::int64_t begin = now_ns();
  volatile std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < 300'000'000; ++i) sum = sum + i;
  return static_cast<double>(now_ns() - begin) / 1e6;
}

}  // namespace

void memory_limit(Run& run) {
  touched = reinterpret_cast<std::atomic<std::uint64_t>*>(shared(4096));
  how_far(run, "heap at 1 GB/s", heap);
  how_far(run, "shared anonymous memory at 1 GB/s", shared_at_1_gb);
  how_far(run, "shared anonymous memory as fast as it can", shared_unpaced);
  how_far(run, "heap of a child at 1 GB/s", heap_in_a_child);
  how_far(run, "shared memory of a child at 1 GB/s", shared_in_a_child);

  const std::size_t tasks = run.quick ? 50'000 : 300'000;
  hotspare::Pool pool({.workers = 2});
  hotspare::TaskOptions limited;
  limited.memory_limit = 500 * mb;
  hotspare::TaskOptions plain;
  plain.name = "plain";  // so that both have options of their own
  limited.name = "limited";
  rate(pool, tasks / 5, plain);
  Samples without;
  Samples with;
  Samples spin_without;
  Samples spin_with;
  for (int i = 0; i < run.rounds(9, 3); ++i) {
    without.add(rate(pool, tasks, plain));
    with.add(rate(pool, tasks, limited));
    spin_without.add(pool.submit(plain, spin_ms).get());
    spin_with.add(pool.submit(limited, spin_ms).get());
  }
  run.report.add({"no-op tasks, each with a memory limit", with.p50(), "tasks/s", {"without", without.p50()}, {}});
  run.report.add({"a busy task with a memory limit", spin_with.p50(), "ms", {"without", spin_without.p50()}, {}});
}

}  // namespace bench
