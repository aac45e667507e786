#pragma once

#include <sched.h>
#include <sys/types.h>

namespace hotspare::os {

/// While it lives, a sleeping process that is woken starts on this very CPU; then it may run anywhere it could before.
/// For the spare that stands in for a dying worker: the scheduler likes to wake it where it slept, which may be the CPU
/// on which the kernel is busy with the dead one's memory (for 90 ms, if that is 1 GB), while this one is about to idle.
class SteeredHere {
 public:
  explicit SteeredHere(pid_t process) noexcept : process_(process) {
    if (::sched_getaffinity(process, sizeof allowed_, &allowed_) != 0 || CPU_COUNT(&allowed_) < 2) return;
    const int here = ::sched_getcpu();
    if (here < 0 || !CPU_ISSET(here, &allowed_)) return;
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(here, &only);
    steered_ = ::sched_setaffinity(process, sizeof only, &only) == 0;
  }
  ~SteeredHere() {
    if (steered_) ::sched_setaffinity(process_, sizeof allowed_, &allowed_);
  }
  SteeredHere(const SteeredHere&) = delete;
  SteeredHere& operator=(const SteeredHere&) = delete;

 private:
  pid_t process_;
  cpu_set_t allowed_{};
  bool steered_ = false;
};

}  // namespace hotspare::os
