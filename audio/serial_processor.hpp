#pragma once

#include "aligned.hpp"
#include "block_layout.hpp"
#include "block_processor.hpp"
#include "chain_spec.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace hotspare::audio {

/// Plug-ins one after the other, each with a processor of its own (a channel with replicas): what one of them does concerns
/// that one alone. MIDI goes into each that takes it; the MIDI that a plug-in makes goes nowhere.
class SerialProcessor final : public BlockProcessor {
 public:
  using Make = std::function<std::unique_ptr<BlockProcessor>(const ChainSpec& one)>;
  /// make: a processor for a chain of one plug-in, of those of the spec.
  SerialProcessor(const ChainSpec& spec, const Make& make);

  bool process(std::span<const std::byte> in, std::span<std::byte> out, Deadline deadline) override;
  /// Blocks: of the whole; late: those in which one of them was; deaths and takeovers: of all; latency: one after the other.
  ChannelFigures figures() const override;

 private:
  std::vector<std::unique_ptr<BlockProcessor>> processors_;
  AlignedArray<std::byte> between_;  ///< What comes out of one and goes into the next.
  std::size_t sound_bytes_;
  std::atomic<std::uint64_t> blocks_{0};
  std::atomic<std::uint64_t> late_{0};
};

}  // namespace hotspare::audio
