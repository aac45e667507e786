#include "plugin_ports.hpp"

#include <hotspare/error.hpp>

#include <lv2/atom/atom.h>
#include <lv2/core/lv2.h>
#include <lv2/midi/midi.h>
#include <lv2/port-groups/port-groups.h>
#include <lv2/resize-port/resize-port.h>

#include <cmath>

namespace hotspare::audio {

namespace {

/// Asks about the ports of one plug-in.
class Describer {
 public:
  Describer(const Lv2World& world, const LilvPlugin& plugin) : world_(world), plugin_(plugin) {}

  PluginPort describe(const LilvPort* port, double sample_rate) const {
    PluginPort result;
    result.index = lilv_port_get_index(&plugin_, port);
    result.symbol = lilv_node_as_string(lilv_port_get_symbol(&plugin_, port));
    result.input = is_a(port, LV2_CORE__InputPort);
    result.kind = kind(port, result.input);
    result.optional = has(port, LV2_CORE__connectionOptional);
    result.sidechain = result.kind == PortKind::audio && result.input && is_sidechain(port);
    result.midi =
        result.kind == PortKind::atom && lilv_port_supports_event(&plugin_, port, node(LV2_MIDI__MidiEvent).get());
    result.latency = has(port, LV2_CORE__reportsLatency) || designates(port, LV2_CORE__latency);
    if (const NodePtr size = value(port, LV2_RESIZE_PORT__minimumSize); size && lilv_node_is_int(size.get()))
      result.minimum_bytes = static_cast<std::uint32_t>(std::max(lilv_node_as_int(size.get()), 0));
    set_range(result, port, has(port, LV2_CORE__sampleRate) ? sample_rate : 1);
    return result;
  }

 private:
  NodePtr node(const char* uri) const { return world_.uri(uri); }
  bool is_a(const LilvPort* port, const char* type) const { return lilv_port_is_a(&plugin_, port, node(type).get()); }
  bool has(const LilvPort* port, const char* property) const {
    return lilv_port_has_property(&plugin_, port, node(property).get());
  }
  NodePtr value(const LilvPort* port, const char* predicate) const {
    return NodePtr(lilv_port_get(&plugin_, port, node(predicate).get()));
  }
  bool designates(const LilvPort* port, const char* what) const {
    const NodePtr designation = value(port, LV2_CORE__designation);
    return designation && lilv_node_equals(designation.get(), node(what).get());
  }

  PortKind kind(const LilvPort* port, bool input) const {
    if (!input && !is_a(port, LV2_CORE__OutputPort)) return PortKind::unknown;
    if (is_a(port, LV2_CORE__AudioPort)) return PortKind::audio;
    if (is_a(port, LV2_CORE__CVPort)) return PortKind::cv;
    if (is_a(port, LV2_CORE__ControlPort)) return PortKind::control;
    return is_a(port, LV2_ATOM__AtomPort) ? PortKind::atom : PortKind::unknown;
  }

  bool is_sidechain(const LilvPort* port) const {
    if (has(port, LV2_CORE_PREFIX "isSideChain") || designates(port, LV2_PORT_GROUPS_PREFIX "sideChain")) return true;
    const NodePtr group = value(port, LV2_PORT_GROUPS__group);
    return group && lilv_world_ask(world_.lilv(), group.get(), node(LV2_PORT_GROUPS__sideChainOf).get(), nullptr);
  }

  void set_range(PluginPort& result, const LilvPort* port, double scale) const {
    LilvNode* initial = nullptr;
    LilvNode* minimum = nullptr;
    LilvNode* maximum = nullptr;
    lilv_port_get_range(&plugin_, port, &initial, &minimum, &maximum);
    const NodePtr owned[] = {NodePtr(initial), NodePtr(minimum), NodePtr(maximum)};
    result.minimum = number(minimum, 0, scale);
    result.maximum = number(maximum, result.minimum, scale);
    result.initial = number(initial, result.minimum, scale);
  }
  static float number(const LilvNode* node, float otherwise, double scale) {
    const bool known = node != nullptr && (lilv_node_is_float(node) || lilv_node_is_int(node));
    const float value = known ? lilv_node_as_float(node) : NAN;
    return std::isfinite(value) ? static_cast<float>(value * scale) : otherwise;
  }

  const Lv2World& world_;
  const LilvPlugin& plugin_;
};

}  // namespace

std::vector<PluginPort> ports_of(const Lv2World& world, const LilvPlugin& plugin, double sample_rate) {
  const Describer describer(world, plugin);
  std::vector<PluginPort> ports(lilv_plugin_get_num_ports(&plugin));
  for (std::uint32_t i = 0; i < ports.size(); ++i) {
    const LilvPort* const port = lilv_plugin_get_port_by_index(&plugin, i);
    if (port == nullptr || lilv_port_get_symbol(&plugin, port) == nullptr)
      throw Error("its description has no port " + std::to_string(i) + ", or one without a symbol");
    ports[i] = describer.describe(port, sample_rate);
  }
  return ports;
}

}  // namespace hotspare::audio
