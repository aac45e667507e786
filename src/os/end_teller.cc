#include "os/end_teller.hpp"

#include <cerrno>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hotspare::os {

bool no_pidfds(const Failure& failure) noexcept {
  return failure.code == ENOSYS || failure.code == EPERM || failure.code == EACCES;
}

Result<SocketPair> make_end_teller() { return make_message_sockets(); }

void tell_end(const Fd& teller) noexcept {
  const char word = 'x';
  [[maybe_unused]] const auto ignored = retry(
      [&] { return ::send(teller.get(), &word, 1, MSG_DONTWAIT | MSG_NOSIGNAL); });  // nobody may want to know any more
}

bool is_end_teller(const Fd& fd) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  return fd.is_ours() && ::getsockopt(fd.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

bool teller_gone(const Fd& fd) noexcept {
  char word = 0;
  return fd.is_ours() && retry([&] { return ::recv(fd.get(), &word, 1, MSG_PEEK | MSG_DONTWAIT); }) == 0;
}

Result<ChildEnds> ChildEnds::make() {
  sigset_t ends;
  sigset_t before;
  sigemptyset(&ends);
  sigaddset(&ends, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &ends, &before);
  Fd fd(::signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK));
  if (fd) return ChildEnds(std::move(fd), before);
  const Failure why = failed("signalfd(SIGCHLD)");
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return why;
}

ChildEnds::~ChildEnds() {
  if (fd_) ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

void ChildEnds::clear() const noexcept {
  signalfd_siginfo told{};
  while (::read(fd_.get(), &told, sizeof told) > 0) {
  }
}

bool wait_readable(const Fd& first, const Fd& second) noexcept {
  pollfd both[] = {{first.get(), POLLIN, 0}, {second.get(), POLLIN, 0}};
  retry([&] { return ::poll(both, 2, -1); });
  return both[0].revents != 0;
}

}  // namespace hotspare::os
