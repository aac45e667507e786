#pragma once

#include "chain_spec.hpp"
#include "lv2_world.hpp"
#include "plugin_ports.hpp"

namespace hotspare::audio {

/// Checks what can be checked without running a plug-in's code, and makes the spec quick to build a chain from: presets by
/// URI, and the folders that describe it all. In the host, before anything is sent to replicas.
/// Throws Error, Refused.
ChainSpec resolve(ChainSpec spec, const Lv2World& world);

/// Does a plug-in of the chain take MIDI?
bool takes_midi(const ChainSpec& spec, const Lv2World& world);

/// Throws Error if rate, frames or channels are out of range.
void check_geometry(const ChainSpec& spec);

/// The port that a control is for. Throws Error: there is no such one (with those that there are), or not that value.
const PluginPort& port_of(const Control& control, const std::string& plugin, const std::vector<PluginPort>& ports);

}  // namespace hotspare::audio
