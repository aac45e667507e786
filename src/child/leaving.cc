#include "child/leaving.hpp"

#include "os/end_teller.hpp"
#include "os/process.hpp"

#include <chrono>
#include <csignal>
#include <utility>

namespace hotspare::child {
namespace {

/// How long those that leave may take; a stopped one, or one in a preload hook that hangs, is killed then.
constexpr std::chrono::seconds leave_patience(5);
constexpr std::chrono::seconds kill_patience(2);

void see_off(const os::Fd& pidfd) noexcept {
  if (!pidfd.is_ours()) return;  // nobody could tell of its end: that of its control socket ends it
  os::signal_process(pidfd, SIGCONT);
  if (os::wait_exit(pidfd, leave_patience)) return;
  os::signal_process(pidfd, SIGKILL);
  static_cast<void>(os::wait_exit(pidfd, kill_patience));
}

}  // namespace

void reap_seed(const zygote::Handle& seed) {
  if (os::reap_child(seed.pidfd).known) return;
  if (os::is_end_teller(seed.pidfd) && os::teller_gone(seed.pidfd)) {
    os::reap_child(seed.pid);  // its files close before it can be reaped
  } else {
    static_cast<void>(os::reap_if_ended(seed.pid));
  }
}

void Leaving::wait() noexcept {
  for (os::Fd& pidfd : zygotes_) {
    if (!pidfd) continue;
    see_off(pidfd);
    static_cast<void>(os::reap_child(pidfd));  // where the host adopts what is orphaned
    pidfd.reset();
  }
  if (seed_) {
    seed_->control.reset();
    // Where the program has closed it there is another way: it is our own child, and has not been reaped.
    if (!seed_->pidfd.is_ours() && os::is_own_child(seed_->pid))
      if (os::Fd again = os::pidfd_of(seed_->pid)) seed_->pidfd = std::move(again);
    see_off(seed_->pidfd);
    reap_seed(*seed_);
    seed_.reset();
  }
  for (const Unreaped& each : std::exchange(unreaped_, {})) {
    static_cast<void>(os::wait_exit(each.pidfd, kill_patience));  // with its lifeline it ends
    static_cast<void>(os::reap_child(each.pidfd));
  }
}

}  // namespace hotspare::child
