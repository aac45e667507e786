#include "zygote/zygote_main.hpp"

#include "os/memory.hpp"
#include "os/process.hpp"
#include "os/signals.hpp"
#include "os/socket.hpp"
#include "standby/replica_main.hpp"
#include "worker/worker_main.hpp"
#include "zygote/embedding.hpp"
#include "zygote/protocol.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <exception>
#include <set>
#include <string>

namespace hotspare::zygote {
namespace {

class Zygote {
 public:
  explicit Zygote(os::Fd control) : control_(std::move(control)) {}

  [[noreturn]] void run() {
    for (;;) {
      Request request;
      auto received = next(request);
      if (!received || received->size != sizeof request) leave();
      answer(request, received->fds);
    }
  }

 private:
  os::Result<os::Received> next(Request& request) {
    const Idle idle;
    return os::receive_message(control_, std::as_writable_bytes(std::span(&request, 1)), os::Wait::yes);
  }

  void answer(const Request& request, std::vector<os::Fd>& fds) {
    switch (request.ask) {
      case Ask::setup: return set_up(request, fds);
      case Ask::spawn: return spawn(request, fds);
      case Ask::standby: return make_standby(fds);
      case Ask::reap: return reap(request);
      case Ask::expect_heir: ++heirs_expected_; return;
      case Ask::adopt_heir: return adopt(request);
      case Ask::forget_heir: return forget_heir();
    }
  }

  /// While the user's preload runs nobody listens to the control socket, so the lifeline watches the host meanwhile.
  void set_up(const Request& request, std::vector<os::Fd>& fds) {
    setup_ = request.setup;
    // Only now: a parked one must not adopt the workers of a zygote that it forked, and end them as strangers.
    static_cast<void>(os::adopt_orphans());
    const std::string failure = preloaded_ ? std::string() : preload(fds);
    preloaded_ = true;
    Reply reply;
    reply.say = failure.empty() ? Say::ready : Say::failed;
    reply.pid = os::own_pid();
    std::strncpy(reply.text, failure.c_str(), sizeof reply.text - 1);
    static_cast<void>(send(control_, reply));  // the host may be gone: the next receive tells
    if (!failure.empty()) leave();
  }

  std::string preload(std::vector<os::Fd>& fds) {
    if (setup_.preload.module == 0) return {};
    if (!fds.empty()) static_cast<void>(os::arm_lifeline(fds[0]));
    std::string failure;
    try {
      reinterpret_cast<void (*)()>(detail::resolve(setup_.preload))();
    } catch (const std::exception& error) {
      failure = std::string("the preload hook threw: ") + error.what();
    } catch (...) {
      failure = "the preload hook threw something that is no std::exception";
    }
    if (!fds.empty()) static_cast<void>(os::disarm_lifeline(fds[0]));
    return failure;
  }

  void spawn(const Request& request, std::vector<os::Fd>& fds) {
    Reply reply;
    reply.say = Say::spawned;
    reply.worker = request.worker;
    const std::size_t wanted =
        setup_.breed == Breed::workers ? std::size_t{worker_fd_count} : std::size_t{replica_fd_count};
    auto child = fds.size() == wanted ? fork_image() : os::Failure{EPROTO, "spawn without descriptors"};
    if (child && *child == 0) {
      control_.reset();
      if (setup_.breed == Breed::replicas)
        standby::run_replica({.setup = setup_, .id = request.worker, .lane = request.lane}, std::move(fds));
      worker::run_worker({.setup = setup_, .id = request.worker, .fds = std::move(fds)});
    }
    announce(reply, child);
  }

  /// The pid comes from a replica's shared memory: believed only if it is a child of ours that we do not know yet.
  void adopt(const Request& request) {
    forget_expected();
    const std::vector<pid_t> ours = os::own_children();
    const bool stranger =
        std::find(ours.begin(), ours.end(), request.pid) != ours.end() && !children_.contains(request.pid);
    Reply reply;
    reply.say = Say::spawned;
    reply.worker = request.worker;
    os::Result<pid_t> child = os::Failure{ECHILD, "adopt_heir"};
    if (stranger) child = request.pid;
    announce(reply, child);
  }

  void forget_heir() {
    forget_expected();
    end_strangers();
  }
  void forget_expected() { heirs_expected_ -= heirs_expected_ > 0 ? 1 : 0; }

  void make_standby(std::vector<os::Fd>& fds) {
    Reply reply;
    reply.say = Say::standby;
    auto child = fds.size() == 1 ? fork_image() : os::Failure{EPROTO, "standby without descriptors"};
    if (child && *child == 0) {
      control_ = std::move(fds[0]);
      children_.clear();
      static_cast<void>(os::become_group_leader());
      return;  // and goes on as the standby, in the same loop
    }
    announce(reply, child);
  }

  void announce(Reply& reply, os::Result<pid_t>& child) {
    if (child) {
      children_.insert(*child);
      reply.pid = *child;
      auto pidfd = os::open_pidfd(*child);
      if (pidfd) {
        const int fd = pidfd->get();
        static_cast<void>(send(control_, reply, {&fd, 1}));
        return;
      }
      child = pidfd.failure();
    }
    reply.say = reply.say == Say::standby ? Say::no_copy : Say::failed;
    std::strncpy(reply.text, child.failure().text().c_str(), sizeof reply.text - 1);
    static_cast<void>(send(control_, reply));
  }

  /// The zombie still holds its number, so the group can be ended before it is reaped; what left the group has
  /// become our child by now.
  void reap(const Request& request) {
    os::signal_group(request.pid, SIGKILL);
    Reply reply;
    reply.say = Say::reaped;
    reply.worker = request.worker;
    reply.pid = request.pid;
    reply.status = os::reap_child(request.pid);
    children_.erase(request.pid);
    static_cast<void>(send(control_, reply));
    end_strangers();
  }

  /// Ends and reaps all children that we did not fork ourselves: orphans of dead workers.
  void end_strangers() {
    if (heirs_expected_ > 0) return;  // adopting or forgetting them comes here again
    for (;;) {
      bool found = false;
      for (const pid_t child : os::own_children()) {
        if (children_.contains(child)) continue;
        found = true;
        auto pidfd = os::open_pidfd(child);
        if (pidfd) os::signal_process(*pidfd, SIGKILL);
        os::reap_child(child);
      }
      if (!found) return;
    }
  }

  /// The host is gone, or done with us: nobody stays.
  [[noreturn]] void leave() {
    for (const pid_t child : children_) os::signal_group(child, SIGKILL);
    children_.clear();
    heirs_expected_ = 0;
    end_strangers();
    os::exit_now(0);
  }

  os::Fd control_;
  Setup setup_;
  bool preloaded_ = false;
  std::set<pid_t> children_;
  int heirs_expected_ = 0;
};

}  // namespace

void zygote_main(os::Fd control) {
  static_cast<void>(os::become_group_leader());
  if (!detail::embedding().keeps_signal_handlers) os::default_signals();
  os::set_title("hotspare-zygote");
  call(detail::embedding().zygote_begins);
  Zygote(std::move(control)).run();
}

}  // namespace hotspare::zygote
