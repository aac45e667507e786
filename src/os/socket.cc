#include "os/socket.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

Result<SocketPair> make_pair(int type, const char* call) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) return failed(call);
  SocketPair pair{Fd(ends[0]), Fd(ends[1])};
  if (!pair.ours || !pair.theirs) return failed(call);
  return pair;
}

}  // namespace

Result<SocketPair> make_message_sockets() { return make_pair(SOCK_SEQPACKET, "socketpair(SOCK_SEQPACKET)"); }
Result<SocketPair> make_lifeline_sockets() { return make_pair(SOCK_STREAM, "socketpair(SOCK_STREAM)"); }

Result<SocketPair> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failed("pipe2()");
  SocketPair pair{Fd(ends[0]), Fd(ends[1])};
  if (!pair.ours || !pair.theirs) return failed("pipe2()");
  if (::fcntl(pair.ours.get(), F_SETFL, O_NONBLOCK) != 0) return failed("fcntl(F_SETFL, O_NONBLOCK)");
  return pair;
}

std::uint64_t socket_number(int fd) noexcept {
  struct stat what {};
  return ::fstat(fd, &what) == 0 && S_ISSOCK(what.st_mode) ? what.st_ino : 0;
}

Status send_message(const Fd& socket, std::span<const std::byte> bytes, std::span<const int> fds, Wait wait) {
  HS_CHECK(fds.size() <= max_fds_in_message);
  if (!socket.is_ours()) return Failure{EBADF, "sendmsg()"};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * max_fds_in_message)> control{};
  iovec data{const_cast<std::byte*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  const int flags = MSG_NOSIGNAL | (wait == Wait::no ? MSG_DONTWAIT : 0);
  if (retry([&] { return ::sendmsg(socket.get(), &message, flags); }) < 0)
    return failed("sendmsg(" + std::to_string(bytes.size()) + " bytes, " + std::to_string(fds.size()) + " fds)");
  return Done{};
}

Result<Received> receive_message(const Fd& socket, std::span<std::byte> room, Wait wait) {
  Received received;
  received.fds.reserve(max_fds_in_message);  // where there is no memory for it, the message stays where it is
  if (!socket.is_ours()) return Failure{EBADF, "recvmsg()"};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * max_fds_in_message)> control{};
  iovec data{room.data(), room.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const int flags = MSG_CMSG_CLOEXEC | (wait == Wait::no ? MSG_DONTWAIT : 0);
  const ssize_t size = retry([&] { return ::recvmsg(socket.get(), &message, flags); });
  if (size < 0) return failed("recvmsg()");
  received.size = static_cast<std::size_t>(size);
  received.fds_lost = (message.msg_flags & MSG_CTRUNC) != 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      received.fds.emplace_back(fd);
      if (!received.fds.back()) received.fds_lost = true;
    }
  }
  // All or none: which of them are missing nobody could tell.
  if (received.fds_lost) received.fds.clear();
  return received;
}

void shut(const Fd& socket) noexcept {
  if (socket.is_ours()) ::shutdown(socket.get(), SHUT_WR);
}

bool hung_up(const Fd& socket) noexcept {
  if (!socket.is_ours()) return false;
  pollfd state{socket.get(), 0, 0};
  return ::poll(&state, 1, 0) == 1 && (state.revents & POLLHUP) != 0;
}

std::size_t read_available(const Fd& fd, std::span<std::byte> room) noexcept {
  if (!fd.is_ours()) return 0;
  const ssize_t size = retry([&] { return ::read(fd.get(), room.data(), room.size()); });
  return size > 0 ? static_cast<std::size_t>(size) : 0;
}

bool write_stderr(std::span<const std::byte> bytes) noexcept {
  while (!bytes.empty()) {
    // A pipe that polls writable takes PIPE_BUF (4096) bytes without blocking.
    pollfd state{STDERR_FILENO, POLLOUT, 0};
    // Without a reader it would raise SIGPIPE, which ends a program that asked for nothing to be written.
    if (::poll(&state, 1, 0) != 1 || (state.revents & (POLLOUT | POLLERR)) != POLLOUT) return false;
    const ssize_t written =
        retry([&] { return ::write(STDERR_FILENO, bytes.data(), std::min<std::size_t>(bytes.size(), 4096)); });
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

void say_on_stderr(const char* format, ...) noexcept {
  std::array<char, 1024> line;
  std::va_list arguments;
  va_start(arguments, format);
  const int wanted = std::vsnprintf(line.data(), line.size(), format, arguments);
  va_end(arguments);
  if (wanted < 0) return;
  const std::size_t size = std::min(static_cast<std::size_t>(wanted), line.size() - 1);
  line[size] = '\n';
  write_stderr(std::as_bytes(std::span(line).first(size + 1)));
}

Status arm_lifeline(const Fd& lifeline) {
  if (::fcntl(lifeline.get(), F_SETOWN, -::getpgrp()) != 0) return failed("fcntl(F_SETOWN)");
  if (::fcntl(lifeline.get(), F_SETSIG, SIGKILL) != 0) return failed("fcntl(F_SETSIG, SIGKILL)");
  if (::fcntl(lifeline.get(), F_SETFL, O_ASYNC | O_NONBLOCK) != 0) return failed("fcntl(F_SETFL, O_ASYNC)");
  // The other end may have closed before we asked.
  pollfd state{lifeline.get(), POLLIN, 0};
  if (::poll(&state, 1, 0) == 1) ::kill(0, SIGKILL);
  return Done{};
}

Status disarm_lifeline(const Fd& lifeline) {
  if (::fcntl(lifeline.get(), F_SETFL, O_NONBLOCK) != 0) return failed("fcntl(F_SETFL)");
  return Done{};
}

}  // namespace hotspare::os
