#pragma once

#include "channel_options.hpp"

#include <audio/chain_spec.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace hotspare::cli {

struct AudioOptions {
  std::vector<audio::PluginSpec> plugins;
  std::uint32_t channels = 2;
  bool midi = false;     ///< A MIDI port, too.
  bool connect = false;  ///< To the machine's own inputs and outputs.
  std::string name = "hotspare";
  std::string server;               ///< JACK server; empty: the default one.
  std::chrono::nanoseconds run{0};  ///< Ends by itself after that; 0: on SIGINT or SIGTERM.
  ChannelOptions channel;
};

/// Throws Error, UsageError, NotBuilt.
void run_audio(const AudioOptions& options);

}  // namespace hotspare::cli
