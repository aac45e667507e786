#pragma once

#include <hotspare/serialize.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace hotspare::audio {

/// The setting of one control port.
struct Control {
  std::string symbol;  ///< lv2:symbol of the port.
  float value = 0;     ///< In the port's own unit, within its range.

  template <class Archive>
  void serialize(Archive& archive) {
    archive(symbol, value);
  }
  bool operator==(const Control&) const = default;
};

/// One LV2 plug-in and how it is set. Applied in this order: the plug-in's defaults, preset, state, controls.
struct PluginSpec {
  std::string uri;
  std::string preset;  ///< URI or label of a preset; empty: none.
  std::string state;   ///< What Lv2Chain::state gave; empty: none.
  std::vector<Control> controls;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(uri, preset, state, controls);
  }
  bool operator==(const PluginSpec&) const = default;
};

/// All that it takes to build the same chain in any process of this machine: it travels to the replicas.
struct ChainSpec {
  std::vector<PluginSpec> plugins;  ///< In the order in which the sound goes through them; none: it passes as it is.
  double sample_rate = 48000;       ///< Hz
  std::uint32_t frames = 128;       ///< Of each block, always: 1 to max_frames.
  std::uint32_t channels = 2;       ///< 1 to max_channels.
  std::uint32_t midi_bytes = 0;     ///< Room for MIDI in a block (see midi_area.hpp); 0: the chain takes none.
  /// Folders (file: URIs) that describe these plug-ins and presets; resolve() fills them in. Empty: all that is installed
  /// is looked through, some 100 ms with a few hundred plug-ins.
  std::vector<std::string> bundles;

  static constexpr std::uint32_t max_frames = 65536;
  static constexpr std::uint32_t max_channels = 64;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(plugins, sample_rate, frames, channels, midi_bytes, bundles);
  }
  bool operator==(const ChainSpec&) const = default;
};

}  // namespace hotspare::audio
