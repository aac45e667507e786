#pragma once

#include "block_processor.hpp"
#include "chain_processor.hpp"

#include <atomic>

namespace hotspare::audio {

/// A chain in this process: what a standby channel is compared with, and all that there is without one. Nothing survives a
/// plug-in that crashes, and a deadline is only looked at when the block is done.
class DirectProcessor final : public BlockProcessor {
 public:
  explicit DirectProcessor(const ChainSpec& spec) : processor_(spec) {}

  bool process(std::span<const std::byte> in, std::span<std::byte> out, Deadline deadline) override;
  ChannelFigures figures() const override;

  Lv2Chain& chain() { return processor_.chain(); }

 private:
  ChainProcessor processor_;
  // Written by the thread that processes, read by those that look: each figure by itself, so relaxed.
  std::atomic<std::uint64_t> blocks_{0};
  std::atomic<std::uint64_t> late_{0};
  std::atomic<std::int64_t> latency_ns_{0};
};

}  // namespace hotspare::audio
