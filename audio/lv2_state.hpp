#pragma once

#include "lv2_world.hpp"
#include "urid_map.hpp"

#include <lv2/core/lv2.h>

#include <string>
#include <vector>

/// What a plug-in can tell and be told of its settings: LV2 state.
/// WARNING: settings, not sound. What its filters and delay lines hold is not in it, so that a plug-in restored from its
/// state does not go on where another one is.
namespace hotspare::audio {

class Lv2Instance;

/// A preset that belongs to a plug-in.
struct Preset {
  std::string uri;
  std::string label;
  std::string bundle;  ///< Folder (file: URI) that describes it.
};

std::vector<Preset> presets_of(const Lv2World& world, const LilvPlugin& plugin);
/// By URI or label. Throws Error that lists what there is.
Preset find_preset(const Lv2World& world, const LilvPlugin& plugin, const std::string& name);

StatePtr load_preset(const Lv2World& world, UridMap& urids, const std::string& uri);
/// What the plug-in wants to start from (state:loadDefaultState); null if it wants nothing.
StatePtr load_default(const Lv2World& world, const LilvPlugin& plugin, UridMap& urids);
/// Throws Error if the text is no state.
StatePtr read_state(const Lv2World& world, UridMap& urids, const std::string& text);

/// As a text that read_state takes: control inputs, and what the plug-in itself saves.
std::string write_state(const Lv2World& world, const LilvPlugin& plugin, Lv2Instance& instance, UridMap& urids);
void restore_state(const LilvState& state, Lv2Instance& instance, UridMap& urids, const LV2_Feature* const* features);

}  // namespace hotspare::audio
