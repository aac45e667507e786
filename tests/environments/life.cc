#include "life.hpp"

#include <algorithm>
#include <hotspare/chaos.hpp>
#include <hotspare/standby.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <type_traits>
#include <unistd.h>
#include <vector>

namespace hotspare::testing {
namespace {

using namespace std::chrono_literals;

std::atomic<int> failed{0};

/// Seen when the program begins, before anything is refused. Linux has the call from 5.16 on.
const bool kernel_has_futex_waitv = ::syscall(449, nullptr, 0, 0, nullptr, 0) != -1 || errno != ENOSYS;

/// What was told not to be had, but for what this kernel itself does not have.
class Told {
 public:
  void operator()(const Event& event) {
    if (event.kind != Event::Kind::unavailable || event.detail.find("is not to be had") == std::string::npos) return;
    const std::lock_guard lock(mutex_);
    ::dprintf(report_fd(), "told: %s\n", event.detail.c_str());
    all_.push_back(event.detail);
  }
  void check_said(std::string_view word) {
    const std::lock_guard lock(mutex_);
    std::size_t found = 0;
    if (!kernel_has_futex_waitv && word != "futex_waitv")
      std::erase_if(all_, [](const std::string& each) { return each.starts_with("futex_waitv"); });
    for (const std::string& each : all_) found += each.find(word) != std::string::npos ? 1 : 0;
    if (word == "-") {
      check(all_.empty(), "nothing is told not to be had");
    } else {
      check(found == 1, "what is lost is told once, by name");
    }
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> all_;
};

/// CPU time of a process's first thread and what it did, ns: of ourselves that of all threads.
double cpu_seconds(std::int64_t pid) {
  if (pid == ::getpid()) {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
  }
  std::ifstream file("/proc/" + std::to_string(pid) + "/schedstat");
  double nanoseconds = 0;
  file >> nanoseconds;
  return nanoseconds * 1e-9;
}

void check_idle(std::vector<std::int64_t> pids) {
  pids.push_back(::getpid());
  const auto used = [&] {
    double all = 0;
    for (const std::int64_t pid : pids) all += cpu_seconds(pid);
    return all;
  };
  // Whoever polls does so in each of these seconds; a busy machine's own noise is not in all of them.
  double share = 1;
  for (int second = 0; second < 5 && share > 0.01; ++second) {
    std::this_thread::sleep_for(200ms);  // style: refills settle; idling is what is looked at
    const double before = used();
    std::this_thread::sleep_for(1s);  // style: the time over which the CPU's is measured
    share = std::min(share, used() - before);
  }
  ::dprintf(report_fd(), "idle: %.2f %% of a core\n", share * 100);
  check(share <= 0.01, "idle, at most 1 % of a core is used");
}

int work(int i) {
  if (i % 20 == 7) ::raise(i % 40 == 7 ? SIGKILL : SIGSEGV);
  return i;
}

void hang() {
  for (;;) ::pause();
}

void check_deadline(Pool& pool, Stacks stacks) {
  TaskOptions limited;
  limited.timeout = 200ms;
  const auto late = pool.submit(limited, hang);
  const auto report = late.outcome().report();
  check(report != nullptr && report->cause == Cause::deadline, "a deadline holds");
  if (report == nullptr || stacks == Stacks::any) return;
  const bool there = !report->native_stack().empty();
  check(there == (stacks == Stacks::there), "the report of a hung task has its stack, where that can be had");
}

/// Its answer is the sum of all blocks.
class Sum {
 public:
  void process(std::span<const std::byte> in, std::span<std::byte> out) {
    std::int64_t value = 0;
    std::memcpy(&value, in.data(), sizeof value);
    total_ += value;
    std::memcpy(out.data(), &total_, sizeof total_);
  }
  std::size_t save(std::span<std::byte> room) const {
    std::memcpy(room.data(), &total_, sizeof total_);
    return sizeof total_;
  }
  void load(std::span<const std::byte> state) { std::memcpy(&total_, state.data(), sizeof total_); }

 private:
  std::int64_t total_ = 0;
};

/// Its answer is the block itself: no state.
class Echo {
 public:
  void process(std::span<const std::byte> in, std::span<std::byte> out) {
    std::memcpy(out.data(), in.data(), sizeof(std::int64_t));
  }
};

template <class Processor>
void lives_in_mode(const Life& life, StandbyMode mode) {
  Told told;
  {
    StandbyOptions options;
    options.bytes_in = options.bytes_out = sizeof(std::int64_t);
    options.period = 2ms;
    options.history = 65536;
    options.state_bytes = sizeof(std::int64_t);
    options.mode = mode;
    options.start = life.start;
    options.replica_stderr = Stderr::capture;
    options.on_event = [&](const Event& event) { told(event); };
    StandbyChannel<Processor> channel(options);
    std::int64_t right = 0;
    const auto send = [&](std::int64_t value) {
      std::int64_t answer = 0;
      const BlockOutcome outcome =
          channel.process(std::as_bytes(std::span(&value, 1)), std::as_writable_bytes(std::span(&answer, 1)),
                          std::chrono::steady_clock::now() + 20s);
      right = std::is_same_v<Processor, Sum> ? right + value : value;
      check(outcome == BlockOutcome::answered, "each block is answered");
      check(answer == right, "each answer is right");
    };
    std::uint64_t deaths = 0;
    for (const chaos::How how : {chaos::How::sigkill, chaos::How::sigsegv, chaos::How::sigkill}) {
      for (int i = 0; i < 50; ++i) send(i);
      channel.strike(how);
      ++deaths;
      while (channel.stats().deaths < deaths) send(0);  // until then it counts as in step
      for (int i = 0; i < 50; ++i) send(i);
      check(channel.wait_in_step(2), "replicas are replaced");
    }
    check(channel.stats().deaths == 3, "each death is counted once");
    if (life.idles) check_idle(channel.replica_pids());
    send(1);
  }
  told.check_said(life.says);
}

}  // namespace

int report_fd() {
  static const int fd = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 40);
  return fd;
}

void check(bool holds, const char* what) {
  if (holds) return;
  ++failed;
  ::dprintf(report_fd(), "FAILED: %s\n", what);
}

int failures() { return failed; }

void pool_lives(const Life& life) {
  Told told;
  {
    PoolOptions options;
    options.workers = 2;
    options.spares = 1;
    options.start = life.start;
    options.worker_stderr = Stderr::capture;
    options.on_event = [&](const Event& event) { told(event); };
    Pool pool(options);
    std::atomic<int> died{0};
    std::atomic<int> sum{0};
    const auto half = [&](int begin) {
      std::vector<std::thread> hosts;  // a host of several threads
      for (int part = begin; part < begin + 2; ++part)
        hosts.emplace_back([&, part] {
          for (int i = part; i < begin + 100; i += 2) {
            auto future = pool.submit(work, i);
            if (future.outcome().ok()) {
              sum += future.get();
            } else {
              ++died;
            }
          }
        });
      for (std::thread& host : hosts) host.join();
    };
    half(0);
    if (life.meanwhile != nullptr) life.meanwhile(pool);
    half(100);
    check(died == 10, "ten tasks die");
    check(sum == 199 * 200 / 2 - (7 + 27 + 47 + 67 + 87 + 107 + 127 + 147 + 167 + 187), "the others' values are right");
    check_deadline(pool, life.stacks);
    check(pool.submit(work, 1).get() == 1, "work goes on");
    std::vector<std::int64_t> pids = pool.started_pids(3);
    while (pool.stats().spares == 0) std::this_thread::yield();
    pids.push_back(pool.zygote_pid());
    if (life.idles) check_idle(pids);
    check(pool.submit(work, 2).get() == 2, "work goes on after idling");
    check(life.meanwhile != nullptr || pool.stats().deaths == 11, "each death is counted once");
  }
  told.check_said(life.says);
}

void channel_lives(const Life& life) {
  lives_in_mode<Sum>(life, StandbyMode::lockstep);
  lives_in_mode<Sum>(life, StandbyMode::replay);
  lives_in_mode<Echo>(life, StandbyMode::stateless);
}

}  // namespace hotspare::testing
