#pragma once

#include "os/fd.hpp"
#include "os/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace hotspare::os {

struct SocketPair {
  Fd ours;
  Fd theirs;
};
/// Message-keeping (SEQPACKET), close-on-exec.
Result<SocketPair> make_message_sockets();
/// Byte stream, close-on-exec: for lifelines, on which nothing is ever sent.
Result<SocketPair> make_lifeline_sockets();
/// A pipe with a non-blocking read end; ours reads, theirs writes.
Result<SocketPair> make_pipe();

inline constexpr std::size_t max_fds_in_message = 8;

enum class Wait : unsigned char { no, yes };
/// Sends one message with descriptors. With Wait::no EAGAIN when the other side's buffer is full. ETOOMANYREFS: too many
/// descriptors of this user's are on their way.
Status send_message(const Fd& socket, std::span<const std::byte> bytes, std::span<const int> fds, Wait wait = Wait::no);

struct Received {
  std::size_t size = 0;  ///< 0: the other side is closed.
  std::vector<Fd> fds;
  bool fds_lost = false;  ///< There were some, and this process has no room for them (RLIMIT_NOFILE): fds is empty.
};
/// Takes one message. With Wait::no EAGAIN when there is none.
Result<Received> receive_message(const Fd& socket, std::span<std::byte> room, Wait wait);

/// What no other socket that exists is called; 0: this descriptor is no open socket.
std::uint64_t socket_number(int fd) noexcept;

/// For the other end it is as if this one were closed; this one still hears when that one is.
void shut(const Fd& socket) noexcept;
/// The other end is closed.
bool hung_up(const Fd& socket) noexcept;

/// Reads what is there, at most room; 0 when there is nothing or the end is reached.
std::size_t read_available(const Fd& fd, std::span<std::byte> room) noexcept;
/// Writes all to stderr if that can be done without waiting for its reader; says whether it could.
bool write_stderr(std::span<const std::byte> bytes) noexcept;
/// One line of at most 1 kB, as printf has it, without memory: that there is none may be what it says.
[[gnu::format(printf, 1, 2)]] void say_on_stderr(const char* format, ...) noexcept;

/// Asks the kernel to SIGKILL this process's whole group the moment the other end of the lifeline closes, whatever the
/// process does then: spin, block signals, be stopped. Call after setpgid. WARNING: any byte sent on it kills as well.
Status arm_lifeline(const Fd& lifeline);
/// Takes that back.
Status disarm_lifeline(const Fd& lifeline);

}  // namespace hotspare::os
