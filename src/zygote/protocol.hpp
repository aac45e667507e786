#pragma once

#include "os/process.hpp"
#include "os/socket.hpp"

#include <hotspare/detail/task_ref.hpp>

#include <cstdint>
#include <span>
#include <sys/types.h>
#include <type_traits>
#include <vector>

/// What host and zygote say to each other, one message at a time over a SEQPACKET socket.
namespace hotspare::zygote {

/// What a zygote forks.
enum class Breed : std::uint8_t {
  workers,  ///< Of a pool.
  replicas  ///< Of a standby channel.
};

/// What every worker of a pool, or replica of a channel, is to be. Sent once, first.
struct Setup {
  Breed breed = Breed::workers;
  detail::FunctionRef preload;      ///< {0, 0}: none.
  detail::FunctionRef initializer;  ///< {0, 0}: none.
  pid_t host = 0;
  bool has_other_core = false;  ///< The host can run while one of them does.
  char name[12] = {};           ///< For process titles.
};

enum class Ask : std::uint8_t {
  setup,    ///< descriptors: lifeline
  spawn,    ///< descriptors: as WorkerFd
  standby,  ///< descriptors: its control socket, its lifeline
  guard,    ///< It is the seed: it adopts what its zygotes leave behind. Where there are no pidfds, descriptor: that
            ///< tells of its own end by closing.
  foster,   ///< pid: a child of a dead zygote, which lives, or is to be reaped when we ask for that. Where there are no
            ///< pidfds, descriptor: by which it tells of its end.
  reap,     ///< pid: a child that has ended, or is to. What it started ends with it.
  signal,   ///< pid, signal: where the kernel lets only its parent do that.
  signal_group,
  expect_heir,  ///< A replica will fork another, which will become our child by itself: no stranger is ended meanwhile.
  adopt_heir,   ///< pid: it has come.
  forget_heir,  ///< It will not come, or whoever comes is not wanted.
};
struct Request {
  Ask ask{};
  std::uint64_t worker = 0;
  std::uint32_t lane = 0;  ///< Of a replica.
  pid_t pid = 0;
  int signal = 0;
  bool is_zygote = false;  ///< What is to be fostered.
  Setup setup;
};

/// Order of the descriptors of Ask::spawn.
enum WorkerFd : std::uint8_t { channel_fd, bells_fd, wishes_fd, lifeline_fd, segments_fd, stderr_fd, worker_fd_count };
static_assert(worker_fd_count <= os::max_fds_in_message);
/// The same for a replica.
enum ReplicaFd : std::uint8_t {
  replica_blocks_fd,
  replica_bells_fd,
  replica_lanes_fd,
  replica_lifeline_fd,
  replica_orders_fd,
  replica_stderr_fd,
  replica_fd_count
};
static_assert(replica_fd_count <= os::max_fds_in_message);

enum class Say : std::uint8_t {
  ready,    ///< Preloaded; may be asked.
  spawned,  ///< descriptor: the pidfd, or what stands in its stead. The answer to adopt_heir, too.
  standby,  ///< descriptor: the same.
  reaped,
  no_copy,  ///< text says why there is no standby.
  failed,   ///< text says what: the spawn of `worker`, or (worker 0) the preload.
};
struct Reply {
  Say say{};
  std::uint64_t worker = 0;
  pid_t pid = 0;
  bool was_heir = false;  ///< What failed was no fork: whoever was to be adopted is not there.
  os::ExitStatus status;
  char text[2048] = {};  ///< Room for advice of several sentences.
};
static_assert(std::is_trivially_copyable_v<Request> && std::is_trivially_copyable_v<Reply>);

template <class Message>
os::Status send(const os::Fd& socket, const Message& message, std::span<const int> fds = {}) {
  return os::send_message(socket, std::as_bytes(std::span(&message, 1)), fds);
}

}  // namespace hotspare::zygote
