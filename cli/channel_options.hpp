#pragma once

#include "chaos_option.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <optional>
#include <string>

namespace hotspare::cli {

/// How the blocks of a chain are worked on: --replicas, --chaos and what belongs to them.
struct ChannelOptions {
  unsigned replicas = 0;      ///< 0: in this process.
  int realtime_priority = 0;  ///< Of the caller; 0: none.
  unsigned history = 0;       ///< StandbyOptions::history.
  bool separate = false;      ///< Each plug-in in replicas of its own.
  std::optional<bool> spare;  ///< StandbyOptions::spare.
  /// Deaths within a minute, after which a channel gives its plug-ins up; 0: never; none: as fits the subcommand.
  std::optional<unsigned> bypass_after;
  std::optional<ChaosOption> chaos;
};

/// Adds the options; what they say is there once the subcommand has been parsed.
std::shared_ptr<ChannelOptions> add_channel_options(CLI::App& subcommand);

}  // namespace hotspare::cli
