#include "child/has_room.hpp"
#include "child/nursery.hpp"
#include "os/end_teller.hpp"
#include "os/process.hpp"
#include "os/socket.hpp"

#include <cerrno>
#include <new>
#include <span>
#include <string>
#include <utility>

/// What seed and zygote say, and the copies of themselves that they are asked for.
namespace hotspare::child {
namespace {

/// The same failure where there is no memory to take it as where there is none to take.
os::Result<os::Received> take_reply(const os::Fd& socket, zygote::Reply& reply) noexcept try {
  return os::receive_message(socket, std::as_writable_bytes(std::span(&reply, 1)), os::Wait::no);
} catch (const std::bad_alloc&) {
  return os::Failure{ENOMEM, "recvmsg()"};
}

/// Whether the copy that it tells of now was given up while it was on its way.
bool is_unwanted(zygote::Handle& from) noexcept {
  if (from.unwanted == 0) return false;
  --from.unwanted;
  return true;
}

/// Empty where there is no memory for it.
std::string text_of(const char* text) noexcept try { return text; } catch (const std::bad_alloc&) {
  return {};
}
std::string text_of(const os::Failure& failure) noexcept try { return failure.text(); } catch (const std::bad_alloc&) {
  return {};
}

}  // namespace

void Nursery::on_message(zygote::Handle& from, std::vector<Told>& into, bool last) {
  while (!from.unsent.empty() && zygote::send(from.control.fd(), from.unsent.front())) {
    from.unsent.pop_front();
    if (!from.unsent.empty()) continue;
    static_cast<void>(poller_.watch_room(from.control.fd(), tag(Tag::nursery_message, from.number), false));
  }
  bool closed = false;
  while (from.control) {
    if (!asked_.empty()) asked_.front().room.reset();
    zygote::Reply reply;
    if (!has_room_for_one(into)) break;
    auto received = take_reply(from.control.fd(), reply);
    if (!received) break;
    if (received->size != sizeof reply) {
      poller_.forget(from.control.fd());  // closed: its pidfd tells the rest
      closed = !last && &from == &zygote_ && os::teller_gone(from.pidfd);
      break;
    }
    reply.text[sizeof reply.text - 1] = '\0';
    on_reply(from, reply, *received, into);
  }
  if (closed) return on_zygote_exit(into);
  for (Asked& asked : asked_) {
    if (asked.room) continue;
    if (auto room = os::Notifier::make()) asked.room = std::move(*room);
  }
}

void Nursery::on_reply(zygote::Handle& from, const zygote::Reply& reply, os::Received& received,
                       std::vector<Told>& into) {
  switch (reply.say) {
    case zygote::Say::ready:
      from.ready = true;
      deaths_in_a_row_ = 0;
      if (from.born) into.emplace_back(told::Ready{});
      return;
    case zygote::Say::spawned: return on_spawned(from, reply, received, into);
    case zygote::Say::standby: return on_copy(from, reply, received, into);
    case zygote::Say::reaped:
      std::erase_if(unreaped_, [&reply](const Unreaped& each) { return each.pid == reply.pid; });
      if (reply.worker != 0) into.emplace_back(told::Reaped{reply.worker, reply.status});
      return;
    case zygote::Say::no_copy: return on_no_copy(from, reply.text, into);
    case zygote::Say::failed: break;
  }
  if (reply.worker == 0) {
    into.emplace_back(told::Broken{text_of(reply.text)});
    return;
  }
  answered(reply.worker);
  if (!reply.was_heir) note_refusal();
  into.emplace_back(told::Refused{reply.worker, text_of(reply.text), reply.was_heir});
}

void Nursery::answered(std::uint64_t id) {
  std::erase_if(asked_, [id](const Asked& asked) { return asked.id == id; });
  watch_answers();
}

/// Its parent does not reap it before we ask for that, so until then the number is its own, too.
void Nursery::on_spawned(zygote::Handle& from, const zygote::Reply& reply, os::Received& received,
                         std::vector<Told>& into) {
  answered(reply.worker);
  os::Result<os::Fd> pidfd = received.fds.empty() ? os::open_pidfd(reply.pid) : std::move(received.fds[0]);
  if (pidfd) {
    pause_.succeeded();
    into.emplace_back(told::Spawned{reply.worker, reply.pid, std::move(*pidfd), from.pid});
    return;
  }
  zygote::Request end;  // nobody could hear of its death
  end.ask = zygote::Ask::reap;
  end.pid = reply.pid;
  static_cast<void>(send(from, end));
  note_refusal();
  into.emplace_back(told::Refused{reply.worker, text_of(pidfd.failure())});
}

void Nursery::want_standby() noexcept try {
  if (standby_ || !is_worth_a_standby() || !zygote_.ready || pause_.until() != 0) return;
  auto asked = ask_copy(zygote_);
  if (asked) standby_ = std::move(*asked);
} catch (const std::bad_alloc&) {
  // It is asked for again when the next process is forked.
}

os::Result<zygote::Handle> Nursery::ask_copy(const zygote::Handle& of) {
  auto copy = zygote::ask_copy(of);
  if (copy) copy->number = ++last_number_;
  return copy;
}

/// From the seed comes the zygote, from the zygote its standby.
void Nursery::on_copy(zygote::Handle& from, const zygote::Reply& reply, os::Received& received,
                      std::vector<Told>& into) {
  os::Result<os::Fd> pidfd = received.fds.empty() ? os::open_pidfd(reply.pid) : std::move(received.fds[0]);
  zygote::Handle* const copy = is_seed(from) ? &zygote_ : standby_ ? &*standby_ : nullptr;
  zygote::Request reap;
  reap.ask = zygote::Ask::reap;
  reap.pid = reply.pid;
  if (is_unwanted(from) || copy == nullptr || copy->born || !copy->control) {
    static_cast<void>(send(from, reap));  // nobody waits for it any more
    return;
  }
  copy->pid = reply.pid;
  if (pidfd) copy->pidfd = std::move(*pidfd);
  copy->born = copy->pidfd && poller_.watch(copy->pidfd, tag(Tag::nursery_exit, copy->number));
  if (copy->born) {
    // It may have said that it is ready before its parent said that it is there.
    if (copy->ready) into.emplace_back(told::Ready{});
    return;
  }
  drop(*copy);
  if (!is_seed(from)) standby_.reset();
  static_cast<void>(send(from, reap));
  note_refusal();
}

/// The owner can do without a standby: the next process that is forked has it asked for again.
void Nursery::on_no_copy(zygote::Handle& from, const std::string& why, std::vector<Told>& into) {
  if (is_unwanted(from)) return;
  if (is_seed(from)) {
    drop(zygote_);
    note_refusal();
    into.emplace_back(told::Refused{0, "no zygote can be forked: " + why});
  } else if (standby_) {
    drop(*standby_);
    standby_.reset();
  }
}

}  // namespace hotspare::child
