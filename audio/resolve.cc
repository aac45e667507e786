#include "resolve.hpp"

#include "lv2_state.hpp"
#include "refusal.hpp"

#include <hotspare/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

namespace hotspare::audio {

namespace {

std::string text_of(float number) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", static_cast<double>(number));
  return text;
}

void check_range(const char* what, double value, double least, double most) {
  if (value >= least && value <= most) return;
  char text[160];
  std::snprintf(text, sizeof text, "a chain of plug-ins with %s = %g: it must be %g to %g", what, value, least, most);
  throw Error(text);
}

}  // namespace

void check_geometry(const ChainSpec& spec) {
  check_range("sample rate", spec.sample_rate, 8000, 768'000);
  check_range("frames", spec.frames, 1, ChainSpec::max_frames);
  check_range("channels", spec.channels, 1, ChainSpec::max_channels);
  check_range("bytes of MIDI", spec.midi_bytes, 0, 1 << 20);
}

const PluginPort& port_of(const Control& control, const std::string& plugin, const std::vector<PluginPort>& ports) {
  std::string known;
  for (const PluginPort& port : ports) {
    if (port.kind != PortKind::control || !port.input) continue;
    if (port.symbol != control.symbol) {
      known += (known.empty() ? "" : ", ") + port.symbol;
      continue;
    }
    const bool in_range = control.value >= port.minimum && control.value <= port.maximum;
    if (!std::isfinite(control.value) || (port.minimum < port.maximum && !in_range))
      throw Error(plugin + ": " + control.symbol + " = " + text_of(control.value) + " is out of its range, " +
                  text_of(port.minimum) + " to " + text_of(port.maximum));
    return port;
  }
  throw Error(plugin + " has no control \"" + control.symbol + "\"; it has " + (known.empty() ? "none at all" : known));
}

ChainSpec resolve(ChainSpec spec, const Lv2World& world) {
  check_geometry(spec);
  std::set<std::string> bundles;
  for (PluginSpec& each : spec.plugins) {
    const LilvPlugin& plugin = world.get(each.uri);
    const std::vector<PluginPort> ports = ports_of(world, plugin, spec.sample_rate);
    refuse_unless_possible(world, plugin, ports, spec.frames);
    for (const Control& control : each.controls) port_of(control, each.uri, ports);
    bundles.insert(lilv_node_as_uri(lilv_plugin_get_bundle_uri(&plugin)));
    if (each.preset.empty()) continue;
    const Preset preset = find_preset(world, plugin, each.preset);
    each.preset = preset.uri;
    if (!preset.bundle.empty()) bundles.insert(preset.bundle);
  }
  spec.bundles.assign(bundles.begin(), bundles.end());
  return spec;
}

bool takes_midi(const ChainSpec& spec, const Lv2World& world) {
  return std::any_of(spec.plugins.begin(), spec.plugins.end(), [&](const PluginSpec& each) {
    const std::vector<PluginPort> ports = ports_of(world, world.get(each.uri), spec.sample_rate);
    return std::any_of(ports.begin(), ports.end(), [](const PluginPort& port) { return port.midi && port.input; });
  });
}

}  // namespace hotspare::audio
