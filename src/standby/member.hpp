#pragma once

#include "child/process.hpp"
#include "os/check.hpp"
#include "os/fd.hpp"
#include "os/socket.hpp"
#include "standby/layout.hpp"
#include "standby/lifecycle.hpp"

#include <cstdint>
#include <sys/types.h>

namespace hotspare::standby {

/// What host and one replica hold together.
struct Ties {
  child::Ties process;
  os::SocketPair orders;  ///< What an heir of it is to be.
  static os::Result<Ties> make();
};

/// One replica as the host sees it. Guarded by the crew's mutex.
struct Member : child::Process {
  Member(std::uint64_t number, unsigned in_lane, Ties made)
      : Process(number, std::move(made.process)), lane(in_lane), ties(std::move(made)) {}

  const unsigned lane;
  Ties ties;
  State state = State::asked;
  std::uint64_t donor = 0;              ///< Who forks it, or saves for it; 0: nobody.
  std::uint64_t ticket = 0;             ///< Of the order that the donor has for it.
  std::uint64_t saver = 0;              ///< Who was asked to save for it before it asked for a state; 0: nobody.
  std::uint64_t donor_commits = 0;      ///< The donor's states when it was asked for one more.
  std::uint64_t answered_by_then = 0;   ///< When it was told to come into step: the last block that it answered.
  std::uint64_t newest_when_asked = 0;  ///< Block.
  std::uint64_t least_done = 0;         ///< What it says must not be less any more.
  std::uint64_t held_in = 0;  ///< The held block that it may be in, which is why it is to be gone some time; 0: none.
  std::uint64_t awaited = 0;  ///< The block that it was to answer when we noticed its death; 0: none.
  std::uint64_t saves_refused = 0;       ///< Of its lane's, heard of.
  std::int64_t cpu_when_suspected = -1;  ///< ns; -1: it is not suspected of a hang.
  Plan plan = Plan::first_block;         ///< Our own copy.
  bool has_state = false;                ///< Forked by one that has it, or told where it is.
  bool spare = false;                    ///< It is to follow, not to answer.
  bool struck = false;                   ///< By StandbyChannel::strike.
  bool demoted = false;                  ///< Dying, and no longer at a real-time priority.
  bool adoption_asked = false;
  bool is_made = false;      ///< Its processor is.
  bool leaving = false;      ///< Told to leave: its exit is no death.
  std::int64_t made_at = 0;  ///< When it got a pid, ns: its processor is being made.

  void step(Event event) {
    const auto to = next(state, event);
    HS_CHECK(to.has_value());
    state = *to;
  }
};

}  // namespace hotspare::standby
