#include "os/awake_cores.hpp"

#include "os/cpus.hpp"
#include "os/signals.hpp"

#include <atomic>
#include <cstdint>
#include <fcntl.h>
#include <fstream>
#include <mutex>
#include <sched.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace hotspare::os {

/// One thread a core.
class Spinners {
 public:
  explicit Spinners(const cpu_set_t& cores) {
    const SignalsBlocked blocked;
    for (unsigned core = 0; core < CPU_SETSIZE; ++core)
      if (CPU_ISSET(core, &cores)) threads_.emplace_back([this, core] { spin(core); });
  }
  ~Spinners() {
    ends_.store(true, std::memory_order_relaxed);
    const sched_param none{};
    for (std::thread& each : threads_) {
      ::pthread_setschedparam(each.native_handle(), SCHED_OTHER, &none);  // on a busy machine it would not get to see that
      each.join();
    }
  }
  Spinners(const Spinners&) = delete;
  Spinners& operator=(const Spinners&) = delete;

 private:
  /// WARNING: without `pause`: a hypervisor takes a core that says so for one that waits for a lock, and takes it away.
  void spin(unsigned core) const {
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(core, &here);
    ::sched_setaffinity(0, sizeof here, &here);
    const sched_param none{};
    if (::sched_setscheduler(0, SCHED_IDLE, &none) != 0) return;  // would be in everybody's way
    while (!ends_.load(std::memory_order_relaxed)) {
    }
  }

  std::atomic<bool> ends_{false};
  std::vector<std::thread> threads_;
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
    constexpr int most_cores = 8;
    cpu_set_t cores;
    CPU_ZERO(&cores);
    if (::sched_getaffinity(0, sizeof cores, &cores) != 0) return failed("sched_getaffinity");
    const int count = CPU_COUNT(&cores);
    if (count > most_cores) return cannot(std::to_string(count) + " are too many to spin on: give this process fewer");
    if (usable_cpus() < static_cast<unsigned>(count)) return cannot("spinning would use up this group's CPU quota");
    awake.spinners_ = shared_spinners(cores);
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
