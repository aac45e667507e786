#include "os/awake_cores.hpp"

#include "os/cpus.hpp"
#include "os/signals.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <fstream>
#include <mutex>
#include <pthread.h>
#include <sched.h>
#include <string>
#include <unistd.h>

namespace hotspare::os {

/// One thread a core.
class Spinners {
 public:
  explicit Spinners(const cpu_set_t& cores) noexcept {
    const SignalsBlocked blocked;
    pthread_attr_t small;  // a program that locks all of its memory locks its stacks, too
    ::pthread_attr_init(&small);
    ::pthread_attr_setstacksize(&small, std::size_t{64} << 10);
    for (unsigned core = 0; core < most_cores && error_ == 0; ++core) {
      if (!CPU_ISSET(core, &cores)) continue;
      seats_[core] = {this, core};
      error_ = ::pthread_create(&threads_[count_], &small, &Spinners::run, &seats_[core]);
      if (error_ == 0) ++count_;
    }
    ::pthread_attr_destroy(&small);
  }
  ~Spinners() {
    const sched_param none{};
    // Before they know that they are to end: who is gone cannot be named, and on a busy machine an idle one would not get to
    // see it.
    for (unsigned i = 0; i < count_; ++i) ::pthread_setschedparam(threads_[i], SCHED_OTHER, &none);
    ends_.store(true, std::memory_order_relaxed);
    for (unsigned i = 0; i < count_; ++i) ::pthread_join(threads_[i], nullptr);
  }
  Spinners(const Spinners&) = delete;
  Spinners& operator=(const Spinners&) = delete;
  /// Of a thread that could not be made; 0: all are there.
  int error() const { return error_; }
  static constexpr unsigned most_cores = 8;

 private:
  struct Seat {
    const Spinners* all = nullptr;
    unsigned core = 0;
  };
  static void* run(void* seat) {
    static_cast<const Seat*>(seat)->all->spin(static_cast<const Seat*>(seat)->core);
    return nullptr;
  }
  /// WARNING: without `pause`: a hypervisor takes a core that says so for one that waits for a lock, and takes it away.
  void spin(unsigned core) const {
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(core, &here);
    ::sched_setaffinity(0, sizeof here, &here);
    const sched_param none{};
    if (ends_.load(std::memory_order_relaxed) || ::sched_setscheduler(0, SCHED_IDLE, &none) != 0) return;
    while (!ends_.load(std::memory_order_relaxed)) {
    }
  }

  std::atomic<bool> ends_{false};
  std::array<Seat, most_cores> seats_{};
  std::array<pthread_t, most_cores> threads_{};
  unsigned count_ = 0;
  int error_ = 0;
};

namespace {

bool kernel_chooses_sleep() {
  std::string driver;
  return std::getline(std::ifstream("/sys/devices/system/cpu/cpuidle/current_driver"), driver) && driver != "none";
}

std::shared_ptr<const Spinners> shared_spinners(const cpu_set_t& cores) {
  static std::mutex mutex;
  static std::weak_ptr<const Spinners> living;
  const std::lock_guard lock(mutex);
  auto all = living.lock();
  if (all == nullptr) living = all = std::make_shared<const Spinners>(cores);
  return all;
}

Failure cannot(const std::string& why) { return Failure{EOPNOTSUPP, "keeping virtual cores awake (" + why + ")"}; }

}  // namespace

Result<AwakeCores> AwakeCores::make() {
  AwakeCores awake;
  if (!kernel_chooses_sleep()) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    if (::sched_getaffinity(0, sizeof cores, &cores) != 0) return failed("sched_getaffinity");
    for (unsigned core = Spinners::most_cores; core < CPU_SETSIZE; ++core)
      if (CPU_ISSET(core, &cores)) return cannot("they are spun on up to the eighth only: give this process fewer");
    if (cpu_quota() < CPU_COUNT(&cores)) return cannot("spinning would use up this group's CPU quota");
    awake.spinners_ = shared_spinners(cores);
    if (awake.spinners_->error() != 0) return Failure{awake.spinners_->error(), "pthread_create"};
    return awake;
  }
  awake.latency_ = Fd(::open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC));
  if (!awake.latency_) return failed("open(/dev/cpu_dma_latency)");
  const std::int32_t microseconds = 0;
  if (::write(awake.latency_.get(), &microseconds, sizeof microseconds) != sizeof microseconds)
    return failed("write(/dev/cpu_dma_latency)");
  return awake;
}

}  // namespace hotspare::os
