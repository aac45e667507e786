#include "os/process.hpp"
#include "supervisor/engine.hpp"
#include "supervisor/fork_guard.hpp"
#include "supervisor/tags.hpp"

#include <cstring>

/// The zygote and its standby. A zygote's death costs nothing but the time of the refill: its standby, forked from it
/// when it was fresh, takes its place; running workers go on.
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

void Engine::on_zygote_message(zygote::Handle& from) {
  for (;;) {
    zygote::Reply reply;
    auto received =
        os::receive_message(from.control, std::as_writable_bytes(std::span(&reply, 1)), os::Wait::no);
    if (!received) return;
    if (received->size != sizeof reply) {
      poller_->forget(from.control);  // closed: its exit is told by its pidfd
      return;
    }
    reply.text[sizeof reply.text - 1] = '\0';
    on_reply(reply, received->fds);
  }
}

void Engine::on_reply(const zygote::Reply& reply, std::vector<os::Fd>& fds) {
  switch (reply.say) {
    case zygote::Say::ready:
      zygote_.ready = true;
      zygote_deaths_in_a_row_ = 0;
      want_standby();
      refill();
      return;
    case zygote::Say::spawned:
      if (!fds.empty()) on_spawned(reply.worker, reply.pid, std::move(fds[0]));
      return;
    case zygote::Say::standby:
      if (!standby_ || fds.empty()) return;
      standby_->pid = reply.pid;
      standby_->pidfd = std::move(fds[0]);
      standby_->ready = true;
      return;
    case zygote::Say::reaped:
      if (const auto found = workers_.find(reply.worker); found != workers_.end()) bury(*found->second, reply.status);
      return;
    case zygote::Say::failed:
      if (reply.worker == 0) return break_pool("pool \"" + options_.name + "\": " + reply.text);
      if (const auto found = workers_.find(reply.worker); found != workers_.end()) {
        --asked_;
        found->second->step(workers::Event::reaped);
        forget(*found->second);
        if (workers_.empty()) break_pool("pool \"" + options_.name + "\" cannot fork workers: " + reply.text);
      }
      return;
  }
}

void Engine::want_standby() {
  if (standby_ || closing_) return;
  auto asked = zygote::ask_standby(zygote_);
  if (asked) standby_ = std::move(*asked);
}

void Engine::drop_zygote(zygote::Handle& handle) {
  if (handle.control) supervisor::forget_in_forks(handle.control.get());
  if (handle.lifeline) supervisor::forget_in_forks(handle.lifeline.get());
  if (handle.pidfd) poller_->forget(handle.pidfd);
  if (handle.control) poller_->forget(handle.control);
  handle = zygote::Handle();
}

void Engine::on_zygote_exit() {
  const pid_t dead = zygote_.pid;
  on_zygote_message(zygote_);  // what it said before it died
  if (zygote_.pid != dead) return;
  const os::ExitStatus status = zygote_.own_child ? os::reap_child(dead) : os::ExitStatus{};
  const bool was_ready = zygote_.ready;
  drop_zygote(zygote_);
  asked_ = 0;
  std::vector<Worker*> unborn;
  std::vector<Worker*> unreaped;
  for (const auto& [id, worker] : workers_) {
    if (worker->state == workers::State::asked) unborn.push_back(worker.get());
    if (worker->reap_asked) unreaped.push_back(worker.get());
  }
  for (Worker* worker : unborn) {
    // If it was forked all the same, the end of its lifeline ends it.
    worker->step(workers::Event::reaped);
    forget(*worker);
  }
  for (Worker* worker : unreaped) bury(*worker, os::exit_status_of(worker->pidfd));
  if (closing_) return;
  ++counts_.zygote_deaths;
  Event event;
  event.kind = Event::Kind::zygote_died;
  event.pid = dead;
  if (standby_ && standby_->ready) {
    zygote_ = std::move(*standby_);
    standby_.reset();
    event.detail = "its standby took over";
    static_cast<void>(poller_->watch(zygote_.pidfd, tag(Tag::zygote_exit)));
    static_cast<void>(poller_->watch(zygote_.control, tag(Tag::zygote_message)));
    tell(std::move(event));
    want_standby();
    refill();
    return;
  }
  if (standby_) drop_zygote(*standby_);
  standby_.reset();
  const bool again = options_.start == Start::exec && ++zygote_deaths_in_a_row_ < 3;
  auto launched = again ? zygote::launch(Start::exec, make_setup())
                        : os::Failure{ECHILD, "the zygote died and so did its standby"};
  if (!launched) {
    tell(std::move(event));
    std::string why = "pool \"" + options_.name + "\": no more workers can be made: the zygote died";
    if (!was_ready)
      why += " before it was ready (did it start? with Start::exec main must call hotspare::init first, with a preload "
             "hook that hook may have crashed)";
    if (status.known) why += ", wait status " + std::to_string(status.wait_status);
    return break_pool(why);
  }
  event.detail = "another one was started";
  tell(std::move(event));
  zygote_ = std::move(*launched);
  static_cast<void>(poller_->watch(zygote_.pidfd, tag(Tag::zygote_exit)));
  static_cast<void>(poller_->watch(zygote_.control, tag(Tag::zygote_message)));
}

}  // namespace hotspare::detail
