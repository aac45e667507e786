#pragma once

#include "child/host_end.hpp"
#include "child/oom_watch.hpp"
#include "death/evidence.hpp"
#include "os/fd.hpp"
#include "os/socket.hpp"
#include "workers/stderr_tail.hpp"

#include <cstdint>
#include <sys/types.h>
#include <utility>

namespace hotspare::child {

/// What ties a child to its host: by the one it ends when the host does, by the other it tells people something.
struct Ties {
  os::SocketPair lifeline;
  os::SocketPair stderr_pipe;
  static os::Result<Ties> make();
};

/// A child process as the host sees it, a worker of a pool or a replica of a channel: born, dying, gone. Guarded by its
/// owner's mutex.
struct Process {
  Process(std::uint64_t number_of_owners, Ties ties)
      : id(number_of_owners),
        lifeline(std::move(ties.lifeline.ours)),
        stderr_pipe(std::move(ties.stderr_pipe.ours)),
        its_lifeline(std::move(ties.lifeline.theirs)),
        its_stderr(std::move(ties.stderr_pipe.theirs)) {}

  const std::uint64_t id;  ///< The owner's number, never another's.
  pid_t pid = 0;           ///< 0: not born yet. For people. WARNING: for system calls there is number().
  os::Fd pidfd;            ///< Empty: not born yet, or the kernel has none.
  pid_t parent = 0;        ///< Who reaps it: the zygote or the seed. 0: neither lives any more.
  HostEnd lifeline;        ///< Closed: the kernel ends it and its group.
  os::Fd stderr_pipe;
  os::Fd its_lifeline, its_stderr;  ///< Its ends, until it has them.

  death::Evidence evidence;
  workers::StderrTail stderr_tail;
  OomWatch oom_watch;
  std::int64_t asked_at = 0;    ///< For it, ns.
  std::int64_t noticed_at = 0;  ///< That it dies, ns; 0: not yet.
  std::int64_t gone_by = 0;     ///< What is due then (ns) if it is still there: it is killed, or buried. 0: nothing.
  bool exited = false;          ///< The pidfd said so.
  bool killed = false;          ///< By us.
  bool reap_asked = false;
  bool held_for_stack = false;  ///< Its stack is being taken: it must not be reaped meanwhile.
  bool was_ready = false;

  /// Its number while that is surely its own: none as soon as its parent was asked to reap it, or is dead itself.
  pid_t number() const { return reap_asked || parent == 0 ? 0 : pid; }
  /// It has them: ours of them would hide its death from us.
  void let_go_of_its_ends() {
    its_lifeline.reset();
    its_stderr.reset();
  }
};

}  // namespace hotspare::child
