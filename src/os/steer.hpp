#pragma once

#include <sched.h>
#include <sys/types.h>

namespace hotspare::os {

/// Gives a sleeping process this very CPU, and sends a dying one off it. While it lives, the first starts here when it
/// is woken; afterwards it may run anywhere it could before. For the spare that stands in for a dead worker: the
/// scheduler likes to wake it where it slept, or puts it behind the dead one, with whose memory the kernel is busy (for
/// 90 ms, if that is 1 GB), while the waker is about to leave its CPU idle.
class SteeredHere {
 public:
  /// dying: 0 if there is nobody to send away (sched_setaffinity takes 0 for the caller).
  SteeredHere(pid_t process, pid_t dying) noexcept : process_(process) {
    if (::sched_getaffinity(process, sizeof allowed_, &allowed_) != 0 || CPU_COUNT(&allowed_) < 2) return;
    const int here = ::sched_getcpu();
    if (here < 0 || !CPU_ISSET(here, &allowed_)) return;
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(here, &only);
    cpu_set_t others = allowed_;
    CPU_CLR(here, &others);
    // Failures cost promptness only: a process that is gone, a CPU set that changed meanwhile.
    if (dying != 0) static_cast<void>(::sched_setaffinity(dying, sizeof others, &others));
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
