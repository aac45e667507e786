#pragma once

#include "trial.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace hotspare::audio {

/// What became of a plug-in in two replicas, one of which was killed again and again (SIGKILL).
struct KillResult {
  unsigned kills = 0;             ///< Strikes; fewer than asked for where replicas were too slow to come back.
  std::uint64_t deaths = 0;       ///< As the channel counted; more than kills: it died of itself, too.
  std::uint64_t late = 0;         ///< Blocks without an answer within a minute.
  std::uint64_t states_lost = 0;  ///< Times that nobody was left who had the state.
  std::uint64_t sound = 0;        ///< As TrialResult::sound.
  std::vector<std::string> unavailable;
};

/// The same blocks as try_plugin sends, through a channel. Throws Error. The plug-in's code does not run in this process.
KillResult kill_plugin(const Trial& trial, unsigned kills);

}  // namespace hotspare::audio
