#pragma once

#include "death/evidence.hpp"
#include "os/check.hpp"
#include "os/fd.hpp"
#include "os/socket.hpp"
#include "standby/layout.hpp"
#include "standby/lifecycle.hpp"
#include "workers/stderr_tail.hpp"

#include <cstdint>
#include <sys/types.h>

namespace hotspare::standby {

/// What host and one replica hold together.
struct Ties {
  os::SocketPair lifeline;
  os::SocketPair orders;  ///< What an heir of it is to be.
  os::SocketPair stderr_pipe;
  static os::Result<Ties> make();
};

/// One replica as the host sees it. Guarded by the crew's mutex.
struct Member {
  Member(std::uint64_t number, unsigned in_lane, Ties made) : id(number), lane(in_lane), ties(std::move(made)) {}

  const std::uint64_t id;
  const unsigned lane;
  Ties ties;
  State state = State::asked;
  pid_t pid = 0;
  os::Fd pidfd;
  pid_t zygote_pid = 0;                ///< Its parent.
  std::uint64_t donor = 0;             ///< Who forks it, or saves for it; 0: nobody.
  std::uint64_t ticket = 0;            ///< Of the order that the donor has for it.
  std::uint64_t saver = 0;             ///< Who was asked to save for it before it asked for a state; 0: nobody.
  std::uint64_t donor_commits = 0;     ///< The donor's states when it was asked for one more.
  std::uint64_t answered_by_then = 0;  ///< When it was told to come into step: the last block that it answered.
  std::uint64_t least_done = 0;        ///< What it says must not be less any more.
  std::uint64_t held_in = 0;  ///< The held block that it may be in, which is why it is to be gone some time; 0: none.
  std::uint64_t awaited = 0;  ///< The block that it was to answer when we noticed its death; 0: none.
  std::uint64_t saves_refused = 0;       ///< Of its lane's, heard of.
  std::int64_t cpu_when_suspected = -1;  ///< ns; -1: it is not suspected of a hang.
  Plan plan = Plan::first_block;         ///< Our own copy.
  bool has_state = false;                ///< Forked by one that has it, or told where it is.
  bool spare = false;                    ///< It is to follow, not to answer.
  bool was_ready = false;                ///< It has been in step, or the spare.
  bool struck = false;                   ///< By StandbyChannel::strike.
  bool demoted = false;                  ///< Dying, and no longer at a real-time priority.
  bool adoption_asked = false;
  bool exited = false;
  bool reap_asked = false;
  bool held_for_stack = false;  ///< Its stack is being taken: it must not be reaped meanwhile.
  bool leaving = false;         ///< Told to leave: its exit is no death.
  std::int64_t asked_at = 0;    ///< For it, ns.
  std::int64_t noticed_at = 0;
  std::int64_t gone_by = 0;  ///< Dying: should it still be there then (ns), it is killed. 0: not set.
  std::uint64_t oom_kills_at_birth = 0;
  death::Evidence evidence;
  workers::StderrTail stderr_tail;

  void step(Event event) {
    const auto to = next(state, event);
    HS_CHECK(to.has_value());
    state = *to;
  }
};

}  // namespace hotspare::standby
