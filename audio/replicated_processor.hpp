#pragma once

#include "block_processor.hpp"
#include "chain_processor.hpp"

#include <hotspare/standby.hpp>

#include <atomic>

namespace hotspare::audio {

/// A chain in replicas of a standby channel: it goes on when a plug-in crashes.
class ReplicatedProcessor final : public BlockProcessor {
 public:
  /// The sizes and the period of the options come from the chain. Throws Error.
  ReplicatedProcessor(const ChainSpec& spec, StandbyOptions options);

  bool process(std::span<const std::byte> in, std::span<std::byte> out, Deadline deadline) override {
    return channel_.process(in, out, deadline) == BlockOutcome::answered;
  }
  ChannelFigures figures() const override;

  StandbyChannel<ChainProcessor>& channel() { return channel_; }

 private:
  StandbyChannel<ChainProcessor> channel_;
};

}  // namespace hotspare::audio
