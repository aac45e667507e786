#pragma once

#include "block_layout.hpp"
#include "chain_spec.hpp"
#include "lv2_instance.hpp"
#include "lv2_world.hpp"
#include "port_plan.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace hotspare::audio {

/// LV2 plug-ins in series. Real-time from the end of the constructor on, as far as the plug-ins are: process() takes no
/// lock and allocates nothing of its own (see WorkQueue and UridMap for what plug-ins can make of that).
/// Two chains of the same spec that get the same blocks give the same blocks, bit for bit, if their plug-ins do.
/// Threads: one at a time.
class Lv2Chain {
 public:
  /// Throws Error, Refused.
  explicit Lv2Chain(const ChainSpec& spec);
  ~Lv2Chain();
  Lv2Chain(const Lv2Chain&) = delete;
  Lv2Chain& operator=(const Lv2Chain&) = delete;

  /// One block, as BlockLayout has it. in and out must not overlap.
  void process(std::span<const std::byte> in, std::span<std::byte> out);

  /// The settings of a plug-in as a text for PluginSpec::state. Settings, not sound: see lv2_state.hpp.
  std::string state(std::size_t plugin);
  /// Frames that the sound comes later by, as the plug-ins say; known after the first block.
  std::uint32_t latency() const;

 private:
  class Stage;

  BlockLayout layout_;
  UridMap urids_;
  Lv2World world_;
  std::vector<std::unique_ptr<Stage>> stages_;
  AtomBuffer midi_;
};

}  // namespace hotspare::audio
