#pragma once

#include "channel_options.hpp"

#include <audio/block_processor.hpp>
#include <audio/chain_spec.hpp>

#include <memory>

namespace hotspare::cli {

/// What works on the blocks of the chain as the options ask. Throws Error, NotBuilt.
std::unique_ptr<audio::BlockProcessor> make_processor(const audio::ChainSpec& spec, const ChannelOptions& options);

}  // namespace hotspare::cli
