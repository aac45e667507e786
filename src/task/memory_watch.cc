#include "task/memory_watch.hpp"

#include "os/clock.hpp"
#include "os/family.hpp"
#include "os/mappings.hpp"
#include "os/memory_use.hpp"
#include "os/thread.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <set>

namespace hotspare::task {
namespace {

constexpr std::int64_t latest_ns = 50'000'000;
constexpr std::int64_t after_failure_ns = 10'000'000;

}  // namespace

void MemoryWatch::start(const char* whose) {
  thread_ = os::or_throw(os::start_thread([this] { watch(); }), whose);
}

void MemoryWatch::expect(bool limited) {
  if (called_ || ends_ || !(limited || rule_.any())) return;
  called_ = true;
  changed_.notify_one();
}

void MemoryWatch::end() {
  {
    const Lock lock(mutex_);
    ends_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void MemoryWatch::watch() {
  Lock lock(mutex_);
  while (!ends_) {
    std::int64_t pause = after_failure_ns;
    try {
      pause = look(lock);
    } catch (const std::exception&) {  // no memory
      if (!lock.owns_lock()) lock.lock();
    }
    if (pause == 0) {
      changed_.wait(lock, [this] { return called_ || ends_; });
    } else {
      changed_.wait_for(lock, std::chrono::nanoseconds(pause), [this] { return ends_; });
    }
  }
}

/// Returns the time until the next look, ns; 0: when it is called.
std::int64_t MemoryWatch::look(Lock& lock) {
  std::uint64_t tightest = 0;
  const std::vector<Limited> tasks = host_.limited_tasks(tightest);
  std::optional<std::vector<Weight>> workers;
  if (rule_.any()) workers = host_.to_be_weighed();
  if (tightest == 0) limits_.clear();
  if (!workers) weigh_at_ = 0;
  if (tightest == 0 && !workers) {
    called_ = false;
    return 0;
  }
  lock.unlock();
  // One that has not begun may do so at any moment.
  std::int64_t pause = tightest == 0 ? latest_ns : death::next_look_ns(tightest, 0, 0, 1);
  for (const Limited& task : tasks) pause = std::min(pause, look_at(task));
  if (workers && os::monotonic_ns() >= weigh_at_) {
    weigh(*workers, lock);
  } else {
    lock.lock();
  }
  if (workers) pause = std::min(pause, std::max<std::int64_t>(weigh_at_ - os::monotonic_ns(), 1));
  return pause;
}

void MemoryWatch::weigh(std::vector<Weight>& workers, Lock& lock) {
  for (Weight& worker : workers) worker.bytes = os::private_resident(worker.pid);
  const std::uint64_t available = rule_.reserve != 0 ? os::available_memory() : 0;
  lock.lock();
  const std::int64_t again = host_.weighed(workers, available);
  weigh_at_ = os::monotonic_ns() + again;
}

/// Returns the time until the next look, ns. The worker may be gone, and then has no memory.
std::int64_t MemoryWatch::look_at(const Limited& task) {
  death::LimitWatch& watch = limits_[task.worker];
  if (watch.ticket != task.ticket) watch = {.ticket = task.ticket};
  const std::int64_t now = os::monotonic_ns();
  const std::vector<pid_t> family = os::family_of(task.pid, task.zygote);
  const os::Resident worker = os::resident(task.pid);
  std::vector<os::Resident> children;
  for (const pid_t pid : family) children.push_back(os::resident(pid));
  const std::uint64_t at_most = death::taken_at_most(task.before, worker, children);
  if (watch.needs_walk(task.limit, at_most, now)) {
    const std::set<std::uint64_t> elsewhere = os::nameless_memory(task.zygote);
    std::vector<os::Mapped> mapped;
    for (const pid_t pid : family) mapped.push_back(os::mapped(pid, elsewhere));
    const death::MemoryTaken taken = death::taken(task.before, worker, os::mapped(task.pid, elsewhere), mapped);
    if (taken.total() > task.limit) host_.over_limit(task, taken);
    watch.walked(at_most, taken.total(), now, os::monotonic_ns());
  }
  const double pace = watch.looked(at_most, now);
  return death::next_look_ns(task.limit, watch.estimate(at_most), pace, static_cast<unsigned>(1 + family.size()));
}

}  // namespace hotspare::task
