#include "support/refuse_calls.hpp"

#include <hotspare/chaos.hpp>
#include <hotspare/hotspare.hpp>
#include <hotspare/standby.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <unistd.h>
#include <vector>

/// refused_calls pool|standby fork|exec ENOSYS|EPERM CALL[,CALL…] SAYS: with these system calls refused tasks, deaths, a
/// deadline and idling are as they always are, and what is lost is told once: an event that says SAYS ("-": none at all).
namespace hotspare::testing {
namespace {

using namespace std::chrono_literals;

int failures = 0;

void check(bool holds, const char* what) {
  if (holds) return;
  ++failures;
  std::fprintf(stderr, "FAILED: %s\n", what);
}

/// What was told not to be had.
class Told {
 public:
  void operator()(const Event& event) {
    if (event.kind != Event::Kind::unavailable || event.detail.find("is not to be had") == std::string::npos) return;
    const std::lock_guard lock(mutex_);
    std::fprintf(stderr, "told: %s\n", event.detail.c_str());
    all_.push_back(event.detail);
  }
  void check_said(std::string_view word) {
    const std::lock_guard lock(mutex_);
    std::size_t found = 0;
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
  std::this_thread::sleep_for(200ms);  // style: refills settle; idling is what is looked at
  const double before = used();
  std::this_thread::sleep_for(1s);  // style: the time over which the CPU's is measured
  const double share = used() - before;
  std::fprintf(stderr, "idle: %.2f %% of a core\n", share * 100);
  check(share <= 0.01, "idle, at most 1 % of a core is used");
}

int work(int i) {
  if (i % 20 == 7) ::raise(i % 40 == 7 ? SIGKILL : SIGSEGV);
  return i;
}

void hang() {
  for (;;) ::pause();
}

void pool_works(Start start, std::string_view says) {
  Told told;
  {
    PoolOptions options;
    options.workers = 2;
    options.spares = 1;
    options.start = start;
    options.worker_stderr = Stderr::capture;
    options.on_event = [&](const Event& event) { told(event); };
    Pool pool(options);
    std::atomic<int> died{0};
    std::atomic<int> sum{0};
    std::vector<std::thread> hosts;  // a host of several threads
    for (int part = 0; part < 2; ++part)
      hosts.emplace_back([&, part] {
        for (int i = part; i < 200; i += 2) {
          auto future = pool.submit(work, i);
          if (future.outcome().ok()) {
            sum += future.get();
          } else {
            ++died;
          }
        }
      });
    for (std::thread& host : hosts) host.join();
    check(died == 10, "ten tasks die");
    check(sum == 199 * 200 / 2 - (7 + 27 + 47 + 67 + 87 + 107 + 127 + 147 + 167 + 187), "the others' values are right");
    TaskOptions limited;
    limited.timeout = 200ms;
    const auto late = pool.submit(limited, hang);
    check(late.outcome().report() != nullptr && late.outcome().report()->cause == Cause::deadline, "a deadline holds");
    check(pool.submit(work, 1).get() == 1, "work goes on");
    std::vector<std::int64_t> pids = pool.started_pids(3);
    while (pool.stats().spares == 0) std::this_thread::yield();
    pids.push_back(pool.zygote_pid());
    check_idle(pids);
    check(pool.submit(work, 2).get() == 2, "work goes on after idling");
    check(pool.stats().deaths == 11, "each death is counted once");
  }
  told.check_said(says);
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
void channel_works(Start start, StandbyMode mode, std::string_view says) {
  Told told;
  {
    StandbyOptions options;
    options.bytes_in = options.bytes_out = sizeof(std::int64_t);
    options.period = 2ms;
    options.history = 65536;
    options.state_bytes = sizeof(std::int64_t);
    options.mode = mode;
    options.start = start;
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
    for (const chaos::How how : {chaos::How::sigkill, chaos::How::sigsegv, chaos::How::sigkill}) {
      for (int i = 0; i < 50; ++i) send(i);
      channel.strike(how);
      for (int i = 0; i < 50; ++i) send(i);
      check(channel.wait_in_step(2), "replicas are replaced");
    }
    while (channel.stats().deaths < 3) std::this_thread::yield();  // counted when it is buried
    check(channel.stats().deaths == 3, "each death is counted once");
    check_idle(channel.replica_pids());
    send(1);
  }
  told.check_said(says);
}

int run(int argc, char** argv) {
  if (argc != 6) return 2;
  Refusal refusal;
  if (std::string_view(argv[3]) == "EPERM") refusal.error = EPERM;
  const std::string calls = argv[4];
  for (std::size_t at = 0; at <= calls.size();) {
    const std::size_t end = std::min(calls.find(',', at), calls.size());
    if (!add_call(refusal, std::string_view(calls).substr(at, end - at))) return 2;
    at = end + 1;
  }
  refuse_calls(refusal);
  const Start start = std::string_view(argv[2]) == "exec" ? Start::exec : Start::fork;
  if (std::string_view(argv[1]) == "pool") {
    pool_works(start, argv[5]);
  } else {
    channel_works<Sum>(start, StandbyMode::lockstep, argv[5]);
    channel_works<Sum>(start, StandbyMode::replay, argv[5]);
    channel_works<Echo>(start, StandbyMode::stateless, argv[5]);
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace hotspare::testing

int main(int argc, char** argv) {
  hotspare::init(argc, argv);
  return hotspare::testing::run(argc, argv);
}
