#include "os/process.hpp"
#include "supervisor/engine.hpp"
#include "supervisor/fork_guard.hpp"
#include "supervisor/tags.hpp"
#include "zygote/embedding.hpp"

#include <array>
#include <cstring>

/// The zygote, its standby and the seed. A zygote's death costs nothing but the time of a refill, and running workers
/// go on: the standby, a copy that was forked when the zygote was fresh, takes its place. Should there be none yet, the
/// seed (the host's image from when the pool was made) forks another; with Start::exec the program is started again.
namespace hotspare::detail {

using supervisor::Tag;
using supervisor::tag;

zygote::Setup Engine::make_setup() const {
  zygote::Setup setup;
  if (options_.preload != nullptr) setup.preload = locate(reinterpret_cast<const void*>(options_.preload));
  if (options_.initializer != nullptr) setup.initializer = locate(reinterpret_cast<const void*>(options_.initializer));
  setup.host = os::own_pid();
  std::strncpy(setup.name, options_.name.c_str(), sizeof setup.name - 1);
  return setup;
}

/// Before the pool has threads.
void Engine::start_zygotes() {
  const char* what = "a pool cannot be made";
  auto launched = zygote::launch(options_);
  if (!launched && options_.run_in_host) return no_process(launched.failure().text());
  // It preloads while we go on here.
  if (!employ(os::or_throw(std::move(launched), what)))
    throw Error(std::string(what) + ": the zygote could not be set up");
  if (options_.start != Start::fork) return;
  auto seed = zygote::launch(options_);
  if (!seed && options_.run_in_host) return;  // the pool can do without
  seed_ = os::or_throw(std::move(seed), what);
  os::or_throw(poller_->watch(seed_->control, tag(Tag::seed_message)), what);
  os::or_throw(poller_->watch(seed_->pidfd, tag(Tag::seed_exit)), what);
}

/// From now on this one forks the workers.
bool Engine::employ(zygote::Handle zygote) {
  zygote_ = std::move(zygote);
  zygote_.ready = false;
  return poller_->watch(zygote_.pidfd, tag(Tag::zygote_exit)) &&
         poller_->watch(zygote_.control, tag(Tag::zygote_message)) && zygote::set_up(zygote_, make_setup());
}

void Engine::on_zygote_message(zygote::Handle& from) {
  const pid_t sender = from.pid;
  while (from.pid == sender && from.control) {
    zygote::Reply reply;
    auto received = os::receive_message(from.control, std::as_writable_bytes(std::span(&reply, 1)), os::Wait::no);
    if (!received) return;
    if (received->size != sizeof reply) {
      poller_->forget(from.control);  // closed: its pidfd tells the rest
      return;
    }
    reply.text[sizeof reply.text - 1] = '\0';
    on_reply(from, reply, received->fds);
  }
}

void Engine::on_reply(const zygote::Handle& from, const zygote::Reply& reply, std::vector<os::Fd>& fds) {
  switch (reply.say) {
    case zygote::Say::ready:
      zygote_.ready = true;
      zygote_deaths_in_a_row_ = 0;
      refill();
      return want_standby();  // after the workers: somebody may be waiting for those
    case zygote::Say::spawned:
      if (!fds.empty()) on_spawned(reply.worker, reply.pid, std::move(fds[0]));
      return;
    case zygote::Say::standby:
      if (seed_ && &from == &*seed_) {
        if (!heir_) return;
        on_copy(*heir_, reply, fds);
        heir_->parent = zygote::Parent::seed;
        if (!employ(std::move(*heir_))) os::signal_process(zygote_.pidfd, SIGKILL);  // its exit brings us here again
        heir_.reset();
      } else if (standby_) {
        on_copy(*standby_, reply, fds);
        static_cast<void>(poller_->watch(standby_->pidfd, tag(Tag::standby_exit)));
      }
      return;
    case zygote::Say::reaped:
      if (const auto found = workers_.find(reply.worker); found != workers_.end()) bury(*found->second, reply.status);
      return;
    case zygote::Say::no_copy: return on_no_copy(from, reply.text);
    case zygote::Say::failed: break;
  }
  const std::string why = "pool \"" + options_.name + "\": no worker can be forked: " + reply.text;
  const auto found = workers_.find(reply.worker);
  if (found == workers_.end()) return break_pool(why);
  --asked_;
  found->second->step(workers::Event::reaped);
  forget(*found->second);
  if (workers_.empty()) no_process(why);
}

/// A pool can do without a standby; the next worker that is forked has it asked for again.
void Engine::on_no_copy(const zygote::Handle& from, const std::string& why) {
  std::optional<zygote::Handle>& copy = seed_ && &from == &*seed_ ? heir_ : standby_;
  if (!copy) return;
  const bool needed = &copy == &heir_;
  drop_zygote(*copy);
  copy.reset();
  if (needed) no_process("pool \"" + options_.name + "\": no zygote can be forked: " + why);
}

void Engine::on_copy(zygote::Handle& copy, const zygote::Reply& reply, std::vector<os::Fd>& fds) {
  if (fds.empty()) return;
  copy.pid = reply.pid;
  copy.pidfd = std::move(fds[0]);
  copy.born = true;
}

void Engine::want_standby() {
  if (standby_ || finishing()) return;
  auto asked = zygote::ask_copy(zygote_);
  if (asked) standby_ = std::move(*asked);
}

void Engine::drop_zygote(zygote::Handle& handle) {
  if (handle.control) {
    supervisor::forget_in_forks(handle.control.get());
    poller_->forget(handle.control);
  }
  if (handle.lifeline) supervisor::forget_in_forks(handle.lifeline.get());
  if (handle.pidfd) poller_->forget(handle.pidfd);
  handle = zygote::Handle();
}

void Engine::on_standby_exit() {
  if (!standby_) return;
  drop_zygote(*standby_);
  standby_.reset();
  if (zygote_.ready) want_standby();
}

/// The image of the host is lost with it; zygote and standby are as good as long as one of them lives.
void Engine::on_seed_exit() {
  if (!seed_) return;
  os::reap_child(seed_->pid);
  drop_zygote(*seed_);
  seed_.reset();
  if (!heir_) return;
  drop_zygote(*heir_);
  heir_.reset();
  no_process("pool \"" + options_.name + "\": no more workers can be made: zygote, standby and seed are dead");
}

void Engine::on_zygote_exit() {
  const pid_t dead = zygote_.pid;
  on_zygote_message(zygote_);  // what it said before it died
  if (zygote_.pid != dead || !zygote_.pidfd) return;
  if (zygote_.parent == zygote::Parent::host) os::reap_child(dead);
  if (zygote_.parent == zygote::Parent::seed && seed_) {
    zygote::Request request;
    request.ask = zygote::Ask::reap;
    request.pid = dead;
    static_cast<void>(zygote::send(seed_->control, request));
  }
  const bool was_ready = zygote_.ready;
  drop_zygote(zygote_);
  mourn_workers_of_zygote();
  if (finishing()) return;
  ++counts_.zygote_deaths;
  if (!was_ready) ++zygote_deaths_in_a_row_;
  Event event;
  event.kind = Event::Kind::zygote_died;
  event.pid = dead;
  event.detail = replace_zygote();
  tell(std::move(event));
}

/// Those it had not yet forked are forgotten: should one exist after all, the end of its lifeline ends it. Those it
/// was to reap are init's now.
void Engine::mourn_workers_of_zygote() {
  asked_ = 0;
  std::vector<Worker*> unborn;
  std::vector<Worker*> unreaped;
  for (const auto& [id, worker] : workers_) {
    if (worker->state == workers::State::asked) unborn.push_back(worker.get());
    if (worker->reap_asked) unreaped.push_back(worker.get());
  }
  for (Worker* worker : unborn) {
    worker->step(workers::Event::reaped);
    forget(*worker);
  }
  for (Worker* worker : unreaped) bury(*worker, os::exit_status_of(worker->pidfd));
}

/// Says what was done.
std::string Engine::replace_zygote() {
  constexpr unsigned most_in_a_row = 3;
  const char* const advice = embedding().exec_advice;
  const std::string hint = " before it was ready (with Start::exec: " +
                           std::string(advice != nullptr ? advice : "does main call hotspare::init first?") +
                           " a preload hook that crashes?)";
  if (zygote_deaths_in_a_row_ >= most_in_a_row) {
    break_pool("pool \"" + options_.name + "\": the zygote died " + std::to_string(most_in_a_row) + " times in a row" +
               hint);
    return "given up";
  }
  if (standby_ && standby_->born && !os::exited(standby_->pidfd)) {
    poller_->forget(standby_->pidfd);
    zygote::Handle next = std::move(*standby_);
    standby_.reset();
    next.parent = zygote::Parent::gone;
    if (employ(std::move(next))) return "its standby took over";
  }
  if (standby_) drop_zygote(*standby_);
  standby_.reset();
  if (std::string how = new_zygote(); !how.empty()) return how;
  no_process("pool \"" + options_.name + "\": no more workers can be made: the zygote and its standby are dead");
  return "given up";
}

/// Not from a living one. Says how; empty: there is none to be had.
std::string Engine::new_zygote() {
  if (options_.start == Start::exec) {
    auto launched = zygote::launch(options_);
    if (launched && employ(std::move(*launched))) return "the program was started again as a zygote";
  } else if (seed_) {
    auto asked = zygote::ask_copy(*seed_);
    if (asked) {
      heir_ = std::move(*asked);
      return "the seed forks another";
    }
  }
  return {};
}

/// They go when their control sockets close.
void Engine::end_zygotes(Lock& lock) {
  std::array<pid_t, 2> own{};
  std::array<os::Fd, 4> others;
  if (zygote_.pidfd) {
    if (zygote_.parent == zygote::Parent::host) {
      own[0] = zygote_.pid;
    } else {
      others[0] = std::move(zygote_.pidfd);
    }
  }
  if (seed_) own[1] = seed_->pid;
  if (standby_ && standby_->pidfd) others[1] = std::move(standby_->pidfd);
  if (heir_ && heir_->pidfd) others[2] = std::move(heir_->pidfd);
  drop_zygote(zygote_);
  for (auto* parked : {&standby_, &heir_}) {
    if (*parked) drop_zygote(**parked);
    parked->reset();
  }
  lock.unlock();
  for (const os::Fd& pidfd : others)
    if (pidfd) os::wait_exit(pidfd);
  lock.lock();
  if (seed_) drop_zygote(*seed_);
  seed_.reset();
  lock.unlock();
  for (const pid_t pid : own)
    if (pid != 0) os::reap_child(pid);
  lock.lock();
}

}  // namespace hotspare::detail
