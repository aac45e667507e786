#include "processor.hpp"

#include "exit_status.hpp"

#include <audio/direct_processor.hpp>

namespace hotspare::cli {

std::unique_ptr<audio::BlockProcessor> make_processor(const audio::ChainSpec& spec, const ChannelOptions& options) {
  if (options.replicas != 0 || options.chaos)
    throw NotBuilt("--replicas and --chaos are not there yet: they need the standby channel");
  return std::make_unique<audio::DirectProcessor>(spec);
}

}  // namespace hotspare::cli
