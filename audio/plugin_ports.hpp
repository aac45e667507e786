#pragma once

#include "lv2_world.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace hotspare::audio {

enum class PortKind : unsigned char { audio, cv, control, atom, unknown };

/// One port of a plug-in, as its description has it.
struct PluginPort {
  std::uint32_t index = 0;
  std::string symbol;
  PortKind kind = PortKind::unknown;
  bool input = false;
  bool optional = false;            ///< lv2:connectionOptional
  bool sidechain = false;           ///< Audio that controls and is not to be heard.
  bool midi = false;                ///< Atoms: takes or gives MIDI events.
  bool latency = false;             ///< Control output that tells the plug-in's delay in frames.
  std::uint32_t minimum_bytes = 0;  ///< Atoms: rsz:minimumSize.
  float initial = 0;                ///< Control and CV: lv2:default,
  float minimum = 0;                ///< and range; where minimum == maximum none is known.
  float maximum = 0;
};

/// By index. Frequencies that are given relative to the sample rate (lv2:sampleRate) are in Hz here.
std::vector<PluginPort> ports_of(const Lv2World& world, const LilvPlugin& plugin, double sample_rate);

}  // namespace hotspare::audio
