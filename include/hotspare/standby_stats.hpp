#pragma once

#include <hotspare/crash_report.hpp>
#include <hotspare/histogram.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace hotspare {

/// Counters since the channel was made, and gauges of this moment. blocks == answered + late.
struct StandbyStats {
  std::uint64_t blocks = 0;    ///< Calls of process().
  std::uint64_t answered = 0;  ///< Blocks that a replica answered by their deadline.
  std::uint64_t late = 0;      ///< Those that none did.

  std::uint64_t deaths = 0;               ///< Replicas that died unexpectedly, the hung ones that we ended among them.
  std::uint64_t deaths_before_ready = 0;  ///< Of these: before they were in step.
  std::uint64_t hangs = 0;                ///< Of these: ended because they hung.
  std::uint64_t takeovers = 0;            ///< Deaths after which another replica that was in step went on at once.
  std::uint64_t handovers = 0;            ///< Blocks for which the next one was woken because patience was over.
  std::uint64_t starts = 0;               ///< Replicas asked for.
  std::uint64_t rejoined = 0;             ///< Replicas that came into step after the channel was made.
  std::uint64_t left_out = 0;             ///< Blocks that killed replicas again and again, and are nobody's any more.
  std::uint64_t states_lost = 0;          ///< Times that no replica with the state was left: a fresh one began anew.
  std::uint64_t zygote_deaths = 0;

  std::uint64_t in_step = 0;  ///< Replicas that answer, or are parked and could. Without the spare.
  std::uint64_t spares = 0;   ///< 1: the spare follows the stream. 0: there is none, or not yet.

  Histogram latency;  ///< From process() to its answer, of answered blocks.
  Histogram rejoin;   ///< From the notice of a death to its successor in step.
  /// From a death to its notice, of those deaths whose instant is known: the replica's own crash handler noted it (fatal
  /// signals but SIGKILL, std::terminate, a memory limit), it was StandbyChannel::strike(sigkill), or it hung: then from the
  /// moment when it had made no step for hang_after. Not of other SIGKILLs, and of exit, which leave no note.
  Histogram detection;
  /// What a takeover cost the stream: from the notice of the death, or from the begin of the first block that was not over by
  /// then, if that is later, to the next block that was answered. count() == takeovers once a block has been answered.
  Histogram takeover;
  std::array<std::uint64_t, cause_count> deaths_by_cause{};  ///< By CrashReport::cause, as in Stats.

  std::vector<std::string> unavailable;  ///< What was asked for and is not to be had here, and what that costs.
};

}  // namespace hotspare
