#include "zygote/zygote_main.hpp"

#include "os/closed_streams.hpp"
#include "os/descriptor_room.hpp"
#include "os/end_teller.hpp"
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
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace hotspare::zygote {
namespace {

class Zygote {
 public:
  explicit Zygote(os::Fd control) : control_(std::move(control)) {}

  [[noreturn]] void run() {
    for (;;) {
      if (ends_ && may_have_strangers_) end_strangers();  // nothing but a request would end the wait for more
      if (ends_ && !asked()) {
        ends_->clear();
        tell_ends();
        continue;
      }
      Request request;
      auto received = next(request);
      if (!received || received->size != sizeof request) leave();
      answer(request, *received);
    }
  }

 private:
  /// False: a child has ended first.
  bool asked() {
    const Idle idle;
    return os::wait_readable(control_, ends_->fd());
  }
  os::Result<os::Received> next(Request& request) {
    const auto room = std::as_writable_bytes(std::span(&request, 1));
    if (may_have_strangers_) {
      // Whoever ends many asks for them one after the other: their list is read once.
      auto received = os::receive_message(control_, room, os::Wait::no);
      if (received || received.failure().code != EAGAIN) return received;
      end_strangers();
    }
    const Idle idle;
    return os::receive_message(control_, room, os::Wait::yes);
  }

  void answer(const Request& request, os::Received& received) {
    switch (request.ask) {
      case Ask::setup: return set_up(request, received.fds);
      case Ask::spawn: return spawn(request, received);
      case Ask::standby: return make_standby(received);
      case Ask::guard: return guard(received.fds);
      case Ask::foster: return foster(request, received.fds);
      case Ask::reap: return reap(request);
      case Ask::signal:
        if (children_.contains(request.pid)) os::signal_child(request.pid, request.signal);
        return;
      case Ask::signal_group:
        if (children_.contains(request.pid)) os::signal_group(request.pid, request.signal);
        return;
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
    static_cast<void>(tell(reply));
    if (!failure.empty()) leave();
  }

  std::string preload(std::vector<os::Fd>& fds) {
    if (setup_.preload.module == 0) return {};
    control_.keep_file_in_mind();  // the hook is the program's code
    if (!fds.empty()) {
      fds[0].keep_file_in_mind();
      static_cast<void>(os::arm_lifeline(fds[0]));
    }
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

  static os::Failure refused(const os::Received& received, const char* what) {
    return {received.fds_lost ? EMFILE : EPROTO, what};
  }

  static os::Result<pid_t> fork_with(std::size_t wanted, const os::Received& received, const char* what) {
    if (received.fds.size() != wanted) return refused(received, what);
    return fork_image();
  }

  void spawn(const Request& request, os::Received& received) {
    std::vector<os::Fd>& fds = received.fds;
    Reply reply;
    reply.say = Say::spawned;
    reply.worker = request.worker;
    const std::size_t wanted =
        setup_.breed == Breed::workers ? std::size_t{worker_fd_count} : std::size_t{replica_fd_count};
    auto child = fork_with(wanted, received, "spawn: the zygote did not get its descriptors");
    if (child && *child == 0) {
      control_.reset();
      children_are_ours_.give_back();
      room_.give_back();
      forget_ends();
      os::Fd::keep_files_in_mind(true);  // tasks are the program's code
      for (os::Fd& fd : fds) fd.keep_file_in_mind();
      if (setup_.breed == Breed::replicas)
        standby::run_replica({.setup = setup_, .id = request.worker, .lane = request.lane}, std::move(fds));
      worker::run_worker({.setup = setup_, .id = request.worker, .fds = std::move(fds)});
    }
    announce(reply, child);
  }

  /// The pid comes from a replica's shared memory: believed only if it is a child of ours that we do not know yet.
  void adopt(const Request& request) {
    forget_expected();
    const bool stranger = os::is_own_child(request.pid) && !children_.contains(request.pid);
    Reply reply;
    reply.say = Say::spawned;
    reply.worker = request.worker;
    reply.was_heir = true;
    os::Result<pid_t> child = os::Failure{ECHILD, "adopt_heir"};
    if (stranger) child = request.pid;
    announce(reply, child);
  }

  void forget_heir() {
    forget_expected();
    end_strangers();
  }
  void forget_expected() { heirs_expected_ -= heirs_expected_ > 0 ? 1 : 0; }

  void guard(std::vector<os::Fd>& fds) {
    if (!fds.empty()) own_end_ = std::move(fds[0]);
    static_cast<void>(os::adopt_orphans());
    os::set_title("hotspare-seed");
  }

  /// A zygote of ours has died, and we are the parent of its children now.
  void foster(const Request& request, std::vector<os::Fd>& fds) {
    if (!os::is_own_child(request.pid)) return;
    children_.insert(request.pid);
    if (request.is_zygote) zygotes_.insert(request.pid);
    if (!fds.empty()) watch_end(request.pid, std::move(fds[0]));
  }

  /// Where there are no pidfds we tell of the ends of our children.
  void watch_end(pid_t child, os::Fd teller) {
    if (!ends_) {
      if (auto made = os::ChildEnds::make()) ends_.emplace(std::move(*made));
    }
    tellers_[child] = std::move(teller);
    tell_ends();  // it may have ended before anybody watched
  }
  void tell_ends() {
    std::erase_if(tellers_, [](const auto& entry) {
      const bool ended = os::child_has_ended(entry.first);
      if (ended) os::tell_end(entry.second);
      return ended;
    });
  }
  /// In a child of ours.
  void forget_ends() {
    tellers_.clear();
    own_end_.reset();
    ends_.reset();
  }

  void make_standby(os::Received& received) {
    std::vector<os::Fd>& fds = received.fds;
    Reply reply;
    reply.say = Say::standby;
    auto child = fork_with(1, received, "standby: the zygote did not get its descriptors");
    if (child && *child == 0) {
      control_ = std::move(fds[0]);
      forget_ends();
      children_.clear();
      zygotes_.clear();
      heirs_expected_ = 0;
      may_have_strangers_ = false;
      os::set_title("hotspare-zygote");
      static_cast<void>(os::become_group_leader());
      return;  // and goes on as the standby, in the same loop
    }
    if (child) zygotes_.insert(*child);
    announce(reply, child);
  }

  /// Waits for room: a host that has no core reads it later, and would wait for ever for one that was dropped. One that is
  /// gone shows in the next receive.
  os::Status tell(const Reply& reply, std::span<const int> fds = {}) {
    return os::send_message(control_, std::as_bytes(std::span(&reply, 1)), fds, os::Wait::yes);
  }

  void announce(Reply& reply, os::Result<pid_t>& child) {
    if (child) {
      // Who adopts it when we die ends our group, and it may not have run until then.
      os::make_group_leader(*child);
      children_.insert(*child);
      reply.pid = *child;
      auto pidfd = os::open_pidfd(*child);
      if (pidfd) {
        const int fd = pidfd->get();
        // The host can find it by its number, too, which is the child's until the host wants it reaped.
        if (const auto told = tell(reply, {&fd, 1}); !told && told.failure().code == ETOOMANYREFS)
          static_cast<void>(tell(reply));
        return;
      }
      auto teller = os::no_pidfds(pidfd.failure()) ? os::make_end_teller() : pidfd.failure();
      if (teller) {
        const int fd = teller->ours.get();
        const auto told = tell(reply, {&fd, 1});
        if (told || told.failure().code != ETOOMANYREFS) return watch_end(*child, std::move(teller->theirs));
        teller = told.failure();
      }
      child = teller.failure();
      children_.erase(reply.pid);  // nobody could hear of its death: it is ended as a stranger
      zygotes_.erase(reply.pid);
    }
    reply.say = reply.say == Say::standby ? Say::no_copy : Say::failed;
    std::strncpy(reply.text, child.failure().text().c_str(), sizeof reply.text - 1);
    static_cast<void>(tell(reply));
    if (reply.pid != 0) end_strangers();
  }

  /// The zombie still holds its number, so the group can be ended before it is reaped; what left the group has
  /// become our child by now.
  void reap(const Request& request) {
    Reply reply;
    reply.say = Say::reaped;
    reply.worker = request.worker;
    reply.pid = request.pid;
    if (const auto found = tellers_.find(request.pid); found != tellers_.end()) {
      os::tell_end(found->second);
      tellers_.erase(found);
    }
    if (children_.erase(request.pid) != 0) {
      zygotes_.erase(request.pid);
      os::signal_child(request.pid, SIGKILL);
      os::signal_group(request.pid, SIGKILL);
      reply.status = os::reap_child(request.pid);
    }
    static_cast<void>(tell(reply));
    may_have_strangers_ = true;
  }

  /// Ends and reaps all children that we did not fork ourselves: orphans of dead workers.
  void end_strangers() {
    if (heirs_expected_ > 0) return;  // one of them may be that heir
    may_have_strangers_ = false;
    for (;;) {
      bool found = false;
      const std::vector<pid_t> ours = os::own_children();
      // A zygote that has ended has left us its children, which the host knows: it is reaped when that has said who they are.
      if (std::any_of(zygotes_.begin(), zygotes_.end(), os::child_has_ended)) return;
      for (const pid_t child : ours) {
        if (children_.contains(child)) continue;
        found = true;
        os::signal_child(child, SIGKILL);
        os::reap_child(child);
      }
      if (!found) return;
    }
  }

  /// The host is gone, or done with us: nobody stays.
  [[noreturn]] void leave() {
    for (const pid_t child : children_) os::signal_group(child, SIGKILL);
    children_.clear();
    zygotes_.clear();
    heirs_expected_ = 0;
    end_strangers();
    os::exit_now(0);
  }

  os::Fd control_;
  const os::OwnChildren children_are_ours_;
  const os::DescriptorRoom room_;
  Setup setup_;
  bool preloaded_ = false;
  std::set<pid_t> children_;
  std::set<pid_t> zygotes_;  ///< Those among them that have children of the host's.
  int heirs_expected_ = 0;
  bool may_have_strangers_ = false;    ///< What a child of ours had started may have become ours.
  std::optional<os::ChildEnds> ends_;  ///< Where there are no pidfds,
  std::map<pid_t, os::Fd> tellers_;    ///< these tell of the ends of those children,
  os::Fd own_end_;                     ///< and this one of ours.
};

}  // namespace

void zygote_main(os::Fd control) {
  os::keep_closed_streams();  // of one that was started by exec nobody has
  static_cast<void>(os::become_group_leader());
  if (!detail::embedding().keeps_signal_handlers) os::default_signals();
  os::set_title("hotspare-zygote");
  os::Fd::keep_files_in_mind(false);
  call(detail::embedding().zygote_begins);
  Zygote(std::move(control)).run();
}

}  // namespace hotspare::zygote
