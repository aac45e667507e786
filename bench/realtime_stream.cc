#include "realtime_stream.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <hotspare/chaos_how.hpp>
#include <sched.h>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {
void set_fifo(int priority) {
  sched_param parameter{};
  parameter.sched_priority = priority;
  if (sched_setscheduler(0, priority > 0 ? SCHED_FIFO : SCHED_OTHER, &parameter) != 0)
    std::fprintf(stderr,
                 "standby: no SCHED_FIFO here: the figures are those of a machine that may do anything else first\n");
}

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

Load::Load(unsigned processes, int policy) {
  for (unsigned i = 0; i < processes; ++i) {
    const int pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const sched_param none{};
      sched_setscheduler(0, policy, &none);
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

namespace {

/// Where it does not the hypervisor does, and /dev/cpu_dma_latency has no effect.
bool kernel_chooses_sleep() {
  std::string driver;
  return std::getline(std::ifstream("/sys/devices/system/cpu/cpuidle/current_driver"), driver) && driver != "none";
}

}  // namespace

AwakeCores::AwakeCores() : fd_(open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC)) {
  if (!kernel_chooses_sleep()) spinners_.emplace(std::thread::hardware_concurrency(), SCHED_IDLE);
  const std::int32_t us = 0;
  if (fd_ >= 0 && write(fd_, &us, sizeof us) != sizeof us) std::fprintf(stderr, "standby: cores may sleep deeply\n");
}

AwakeCores::~AwakeCores() {
  if (fd_ >= 0) close(fd_);
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

void Striker::start(std::chrono::nanoseconds every, std::vector<hotspare::chaos::How> ways, Strike strike) {
  if (every.count() == 0) return;
  thread_ =
      std::thread([this, every, ways = std::move(ways), strike = std::move(strike)] { loop(every, ways, strike); });
}

void Striker::end() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    ends_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Striker::loop(std::chrono::nanoseconds every, const std::vector<hotspare::chaos::How>& ways,
                   const Strike& strike) {
  set_fifo(realtime_priority - 10);  // it strikes at the time that it drew, also on a busy machine
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> share(0.5, 1.5);
  std::unique_lock lock(mutex_);
  while (true) {
    const auto pause = std::chrono::duration_cast<std::chrono::nanoseconds>(every * share(random));
    if (ends_.wait_for(lock, pause, [this] { return ending_; })) return;
    const hotspare::chaos::How how = ways[blows_.size() % ways.size()];
    const bool kill = how == hotspare::chaos::How::sigkill;
    const std::int64_t at = now_ns();
    open_kill_ = kill ? at : 0;
    lock.unlock();
    const bool struck = strike(how) != 0;
    lock.lock();
    if (struck) blows_.push_back({at, how});
    if (!struck) open_kill_ = 0;
  }
}

std::uint64_t Striker::strikes() const {
  const std::lock_guard lock(mutex_);
  return blows_.size();
}

hotspare::Histogram Striker::notice() const {
  hotspare::Histogram all;
  for (const std::int64_t each : noticed_after_) all.add(std::chrono::nanoseconds(each));
  return all;
}

namespace {

void tell_late(const BlockTimes& block, std::size_t number, const Striker& striker) {
  const Striker::Blow* last = nullptr;
  for (const Striker::Blow& blow : striker.blows())
    if (blow.at < block.end) last = &blow;
  std::fprintf(stderr, "block %zu late, no stall of the machine", number);
  if (last != nullptr)
    std::fprintf(stderr, "; %.3f ms after the strike %s", static_cast<double>(block.begin - last->at) / 1e6,
                 std::string(hotspare::chaos::name(last->how)).c_str());
  std::fprintf(stderr, "\n");
}

}  // namespace

void judge_blocks(std::span<const BlockTimes> times, std::int64_t period_ns, const StallWatch& stalls,
                  const Striker& striker, StreamResult& result) {
  for (std::size_t i = 0; i < times.size(); ++i) {
    const BlockTimes& block = times[i];
    if (block.answered) continue;
    const bool stalled = stalls.stalled_in(block.begin - period_ns, block.end);
    ++(stalled ? result.control_late : result.late_alone);
    if (!stalled) tell_late(block, i, striker);
  }
  result.strikes = striker.strikes();
  result.notice = striker.notice();
  std::size_t at = 0;
  for (const Striker::Blow& blow : striker.blows()) {
    if (blow.how != hotspare::chaos::How::sigkill) continue;
    while (at < times.size() && (times[at].end < blow.at || !times[at].answered)) ++at;
    if (at == times.size()) return;
    result.next_good.add(std::chrono::nanoseconds(times[at].end - std::max(blow.at, times[at].begin)));
  }
}

}  // namespace bench
