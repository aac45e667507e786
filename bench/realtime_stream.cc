#include "realtime_stream.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {
namespace {

void set_fifo(int priority) {
  sched_param parameter{};
  parameter.sched_priority = priority;
  if (sched_setscheduler(0, priority > 0 ? SCHED_FIFO : SCHED_OTHER, &parameter) != 0)
    std::fprintf(stderr,
                 "standby: no SCHED_FIFO here: the figures are those of a machine that may do anything else first\n");
}

}  // namespace

void sleep_until(std::int64_t at_ns) {
  const timespec at{at_ns / 1'000'000'000, at_ns % 1'000'000'000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
  }
}

StallWatch::StallWatch() {
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  stalls_.resize(cores);
  for (unsigned core = 0; core < cores; ++core) {
    stalls_[core].reserve(100'000);
    threads_.emplace_back([this, core] { watch(core); });
  }
}

StallWatch::~StallWatch() { end(); }

void StallWatch::end() {
  ending_ = true;
  for (std::thread& each : threads_)
    if (each.joinable()) each.join();
}

void StallWatch::watch(unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
  set_fifo(realtime_priority + 10);
  constexpr std::int64_t step = 500'000;
  for (std::int64_t due = now_ns() + step; !ending_; due += step) {
    sleep_until(due);
    const std::int64_t now = now_ns();
    if (now - due < stall_ns) continue;
    stalls_[core].push_back({due, now});
    while (due + step < now) due += step;
  }
}

bool StallWatch::stalled_in(std::int64_t begin, std::int64_t end) const {
  for (const auto& core : stalls_)
    for (const Stall& stall : core)
      if (stall.begin < end && stall.end > begin) return true;
  return false;
}

Load::Load(unsigned processes) {
  for (unsigned i = 0; i < processes; ++i) {
    const int pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (volatile unsigned long n = 0;;) n = n + 1;
    }
    if (pid > 0) pids_.push_back(pid);
  }
}

Load::~Load() {
  for (const int pid : pids_) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
}

RealtimeThread::RealtimeThread() {
  mlockall(MCL_CURRENT | MCL_FUTURE);
  set_fifo(realtime_priority);
}

RealtimeThread::~RealtimeThread() {
  set_fifo(0);
  munlockall();
}

void Striker::noticed(std::int64_t at_ns) {
  const std::lock_guard lock(mutex_);
  if (open_kill_ != 0) noticed_after_.push_back(at_ns - open_kill_);
  open_kill_ = 0;
}

void Striker::start(const StreamOptions& options, Strike strike, void* channel) {
  if (options.kill_every.count() == 0) return;
  thread_ = std::thread([this, options, strike, channel] { loop(options, strike, channel); });
}

void Striker::end() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    ends_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Striker::loop(StreamOptions options, Strike strike, void* channel) {
  set_fifo(realtime_priority - 10);  // it strikes at the time that it drew, also on a busy machine
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> share(0.5, 1.5);
  std::unique_lock lock(mutex_);
  for (std::size_t way = 0;; ++way) {
    const auto pause = std::chrono::duration_cast<std::chrono::nanoseconds>(options.kill_every * share(random));
    if (ends_.wait_for(lock, pause, [this] { return ending_; })) return;
    const hotspare::chaos::How how = options.ways[way % options.ways.size()];
    lock.unlock();
    const std::int64_t at = now_ns();
    const bool struck = strike(channel, how) != 0;
    lock.lock();
    if (!struck) continue;
    ++strikes_;
    if (how != hotspare::chaos::How::sigkill) continue;
    kills_.push_back(at);
    open_kill_ = at;
  }
}

hotspare::Histogram Striker::notice() const {
  hotspare::Histogram all;
  for (const std::int64_t each : noticed_after_) all.add(std::chrono::nanoseconds(each));
  return all;
}

}  // namespace bench
