#include "groups.hpp"
#include "process.hpp"

#include <hotspare/hotspare.hpp>

#include <deque>
#include <fstream>
#include <future>
#include <malloc.h>
#include <string>
#include <unistd.h>
#include <vector>

/// What a task costs that only waits in the queue, as the queue grows.
namespace bench {
namespace {

Gate* release = nullptr;  ///< Inherited by the workers.

void hold_the_worker() { release->wait(); }
void nothing() {}

double heap_bytes() {
  const auto info = ::mallinfo2();
  return static_cast<double>(info.uordblks) + static_cast<double>(info.hblkhd);
}

double resident_bytes() {
  std::size_t size = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

struct Cost {
  double ns = 0;
  double heap = 0;
  double resident = 0;
};

/// The cost of one of so many calls, without what holds their futures.
template <class Future, class Add>
Cost cost_of(std::size_t number, Add add) {
  std::vector<Future> futures(number);
  ::malloc_trim(0);
  const double heap = heap_bytes();
  const double resident = resident_bytes();
  const std::int64_t start = now_ns();
  for (Future& future : futures) future = add();
  const auto count = static_cast<double>(number);
  const double ns = static_cast<double>(now_ns() - start) / count;
  const Cost cost{ns, (heap_bytes() - heap) / count, (resident_bytes() - resident) / count};
  // Results would be kept as long as their futures: let all of them go together.
  release->open();
  for (const Future& future : futures) future.wait();
  return cost;
}

Cost in_pool(std::size_t number) {
  release->reset();
  hotspare::Pool pool({.workers = 1});
  pool.submit(hold_the_worker);
  return cost_of<hotspare::Future<void>>(number, [&] { return pool.submit(nothing); });
}

/// The least a queue of futures costs: nobody runs them, no other process hears of them.
Cost in_deque(std::size_t number) {
  std::deque<std::packaged_task<void()>> queue;
  const auto add = [&] {
    queue.emplace_back(nothing);
    auto future = queue.back().get_future();
    return future;
  };
  std::vector<std::future<void>> futures(number);
  ::malloc_trim(0);
  const double heap = heap_bytes();
  const double resident = resident_bytes();
  const std::int64_t start = now_ns();
  for (auto& future : futures) future = add();
  const auto count = static_cast<double>(number);
  const double ns = static_cast<double>(now_ns() - start) / count;
  return {ns, (heap_bytes() - heap) / count, (resident_bytes() - resident) / count};
}

}  // namespace

void queue(Run& run) {
  const Shared<Gate> gate;
  release = gate.get();
  for (const std::size_t number : {1'000UL, 10'000UL, 100'000UL, 1'000'000UL}) {
    if (run.quick && number > 10'000) break;
    const Cost bare = in_deque(number);
    const Cost pool = in_pool(number);
    const std::string name = std::to_string(number) + " queued tasks: ";
    const std::string limit = "std::packaged_task in a std::deque";
    run.report.add({name + "submit", pool.ns, "ns/task", {limit, bare.ns}, {}});
    run.report.add({name + "heap of the host", pool.heap, "B/task", {limit, bare.heap}, {}});
    run.report.add({name + "resident memory of the host", pool.resident, "B/task", {limit, bare.resident}, {}});
  }
}

}  // namespace bench
