#pragma once

#include "channel_options.hpp"

#include <audio/chain_spec.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace hotspare::cli {

struct RenderOptions {
  std::string input;
  std::string output;
  std::vector<audio::PluginSpec> plugins;
  std::uint32_t frames = 128;
  std::chrono::nanoseconds tail{0};  ///< Of silence after the input, for what rings on.
  ChannelOptions channel;
};

/// Throws Error, UsageError, NotBuilt.
void run_render(const RenderOptions& options);

}  // namespace hotspare::cli
