#include "os/cpus.hpp"
#include "os/process.hpp"
#include "standby/crew.hpp"
#include "standby/tags.hpp"
#include "supervisor/fork_guard.hpp"

#include <hotspare/error.hpp>

#include <csignal>
#include <cstring>

/// The zygote of a channel, and a parked copy that takes its place. Replicas go on whatever becomes of both.
namespace hotspare::standby {

PoolOptions Crew::launch_options() const {
  PoolOptions options;
  options.start = options_.start;
  options.exec_command = options_.exec_command;
  options.exec_keep = options_.exec_keep;
  return options;
}

zygote::Setup Crew::make_setup() const {
  zygote::Setup setup;
  setup.breed = zygote::Breed::replicas;
  if (options_.preload != nullptr)
    setup.preload = hotspare::detail::locate(reinterpret_cast<const void*>(options_.preload));
  setup.host = os::own_pid();
  std::strncpy(setup.name, options_.name.c_str(), sizeof setup.name - 1);
  return setup;
}

void Crew::start_zygote() {
  const PoolOptions options = launch_options();
  if (const std::string why = zygote::why_not(options); !why.empty()) throw Error(why);
  const char* what = "a standby channel cannot be made";
  if (!employ(os::or_throw(zygote::launch(options), what)))
    throw Error(std::string(what) + ": the zygote could not be set up");
  // The host's image can be had only now.
  if (options_.start != Start::fork) return;
  copy_ = os::or_throw(zygote::launch(options), what);
  os::or_throw(poller_->watch(copy_->pidfd, tag(Tag::copy_exit)), what);
}

bool Crew::employ(zygote::Handle handle) {
  zygote_ = std::move(handle);
  zygote_.ready = false;
  return poller_->watch(zygote_.pidfd, tag(Tag::zygote_exit)) &&
         poller_->watch(zygote_.control, tag(Tag::zygote_message)) && zygote::set_up(zygote_, make_setup());
}

void Crew::on_zygote_message(zygote::Handle& from) {
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
    on_reply(reply, received->fds);
  }
}

void Crew::on_reply(const zygote::Reply& reply, std::vector<os::Fd>& fds) {
  switch (reply.say) {
    case zygote::Say::ready:
      zygote_.ready = true;
      zygote_deaths_in_a_row_ = 0;
      refill();
      return want_copy();
    case zygote::Say::spawned:
      if (!fds.empty()) on_spawned(reply.worker, reply.pid, std::move(fds[0]));
      return;
    case zygote::Say::standby:
      if (!copy_ || fds.empty()) return;
      copy_->pid = reply.pid;
      copy_->pidfd = std::move(fds[0]);
      copy_->born = true;
      static_cast<void>(poller_->watch(copy_->pidfd, tag(Tag::copy_exit)));
      return;
    case zygote::Say::no_copy:  // the next zygote that is ready is asked again
      if (copy_) drop(*copy_);
      copy_.reset();
      return;
    case zygote::Say::reaped:
      if (const auto found = members_.find(reply.worker); found != members_.end()) bury(*found->second, reply.status);
      return;
    case zygote::Say::failed: break;
  }
  const auto found = members_.find(reply.worker);
  if (found != members_.end()) {
    const bool heir = found->second->donor != 0;
    found->second->donor = 0;  // the zygote has forgotten it
    abandon(*found->second);
    if (heir) return refill();  // it died before it was adopted
  }
  const std::string why = "standby channel \"" + options_.name + "\": no replica can be forked: " + reply.text;
  if (members_.empty()) return break_channel(why);
  note_unavailable(why);
}

void Crew::want_copy() {
  if (copy_ || closing_) return;
  auto asked = zygote::ask_copy(zygote_);
  if (!asked) return;
  copy_ = std::move(*asked);
  copy_->parent = zygote::Parent::gone;  // by the time that it is needed
}

void Crew::drop(zygote::Handle& handle) {
  if (handle.control) {
    supervisor::forget_in_forks(handle.control.get());
    poller_->forget(handle.control);
  }
  if (handle.lifeline) supervisor::forget_in_forks(handle.lifeline.get());
  if (handle.pidfd) poller_->forget(handle.pidfd);
  handle = zygote::Handle();
}

void Crew::on_copy_exit() {
  if (!copy_) return;
  if (copy_->parent == zygote::Parent::host) os::reap_child(copy_->pid);
  drop(*copy_);
  copy_.reset();
  if (zygote_.ready) want_copy();
}

void Crew::on_zygote_exit() {
  const pid_t dead = zygote_.pid;
  on_zygote_message(zygote_);  // what it said before it died
  if (zygote_.pid != dead || !zygote_.pidfd) return;
  if (zygote_.parent == zygote::Parent::host) os::reap_child(dead);
  const bool was_ready = zygote_.ready;
  drop(zygote_);
  std::vector<Member*> unborn;
  std::vector<Member*> unreaped;
  for (const auto& [id, member] : members_) {
    if (member->state == State::asked) unborn.push_back(member.get());
    if (member->reap_asked) unreaped.push_back(member.get());
  }
  for (Member* member : unborn) abandon(*member);
  for (Member* member : unreaped) bury(*member, os::exit_status_of(member->pidfd));
  if (closing_) return;
  ++counts_.zygote_deaths;
  if (!was_ready) ++zygote_deaths_in_a_row_;
  hotspare::Event event;
  event.kind = hotspare::Event::Kind::zygote_died;
  event.pid = dead;
  tell(std::move(event));
  replace_zygote();
}

void Crew::replace_zygote() {
  constexpr unsigned most_in_a_row = 3;
  if (zygote_deaths_in_a_row_ < most_in_a_row) {
    if (copy_ && copy_->born && !os::exited(copy_->pidfd)) {
      poller_->forget(copy_->pidfd);
      zygote::Handle next = std::move(*copy_);
      copy_.reset();
      if (employ(std::move(next))) return;
    }
    if (copy_) drop(*copy_);
    copy_.reset();
    if (options_.start == Start::exec) {
      auto launched = zygote::launch(launch_options());
      if (launched && employ(std::move(*launched))) return;
    }
  }
  break_channel(
      "standby channel \"" + options_.name +
      "\": no more replicas can be made: the zygote died and could not be replaced (a preload hook that crashes? "
      "with Start::exec: does main call hotspare::init first?)");
}

void Crew::end_zygotes() {
  if (!copy_) copy_.emplace();
  for (zygote::Handle* handle : {&zygote_, &*copy_}) {
    const pid_t own = handle->parent == zygote::Parent::host ? handle->pid : 0;
    const os::Fd pidfd = std::move(handle->pidfd);
    drop(*handle);  // it goes when its control socket closes
    if (pidfd) os::wait_exit(pidfd);
    if (pidfd && own != 0) os::reap_child(own);
  }
  copy_.reset();
}

}  // namespace hotspare::standby
