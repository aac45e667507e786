#include "replicated_processor.hpp"

#include "block_layout.hpp"

namespace hotspare::audio {
namespace {

StandbyOptions for_chain(const ChainSpec& spec, StandbyOptions options) {
  const BlockLayout layout(spec);
  options.bytes_in = layout.in_bytes();
  options.bytes_out = layout.out_bytes();
  options.period = std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 * spec.frames / spec.sample_rate));
  return options;
}

}  // namespace

ReplicatedProcessor::ReplicatedProcessor(const ChainSpec& spec, StandbyOptions options)
    : channel_(for_chain(spec, std::move(options)), spec) {}

ChannelFigures ReplicatedProcessor::figures() const {
  const StandbyStats stats = channel_.stats();
  return {.blocks = stats.blocks,
          .late = stats.late,
          .deaths = stats.deaths,
          .takeovers = stats.takeovers,
          .bypassed = channel_.broken().empty() || stats.in_step != 0 ? 0U : 1U,
          .latency = stats.latency.quantile(0.5)};
}

}  // namespace hotspare::audio
