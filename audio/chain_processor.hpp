#pragma once

#include "lv2_chain.hpp"

namespace hotspare::audio {

/// A chain as hotspare::StandbyChannel wants its processors: built in a replica from what travels there, then block by
/// block. Blocks: see BlockLayout.
///
/// It has no save and load on purpose. LV2 state holds a plug-in's settings, not what is in its filters and delay lines; a
/// replica that came from it would not be in step to the sample. Replicas come from a fork of one that is in step, or from
/// hearing the blocks since.
class ChainProcessor {
 public:
  explicit ChainProcessor(const ChainSpec& spec) : chain_(spec) {}
  void process(std::span<const std::byte> in, std::span<std::byte> out) { chain_.process(in, out); }

  Lv2Chain& chain() { return chain_; }

 private:
  Lv2Chain chain_;
};

}  // namespace hotspare::audio
