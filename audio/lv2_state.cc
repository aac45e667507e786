#include "lv2_state.hpp"

#include "lv2_instance.hpp"

#include <hotspare/error.hpp>

#include <lv2/atom/atom.h>
#include <lv2/presets/presets.h>
#include <lv2/state/state.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace hotspare::audio {

namespace {

constexpr const char* rdfs_label = "http://www.w3.org/2000/01/rdf-schema#label";
constexpr const char* rdfs_see_also = "http://www.w3.org/2000/01/rdf-schema#seeAlso";

/// Any will do: it is the subject of the text's statements.
constexpr const char* state_uri = "urn:hotspare:state";

std::string text_of(const Lv2World& world, const LilvNode* subject, const char* predicate) {
  const NodePtr value(lilv_world_get(world.lilv(), subject, world.uri(predicate).get(), nullptr));
  return value ? lilv_node_as_string(value.get()) : "";
}

/// A preset's file stands in the folder that describes it.
std::string folder_of(const std::string& file_uri) { return file_uri.substr(0, file_uri.rfind('/') + 1); }

const PluginPort* control_input(const Lv2Instance& instance, std::string_view symbol) {
  for (const PluginPort& port : instance.ports())
    if (port.kind == PortKind::control && port.input && port.symbol == symbol) return &port;
  return nullptr;
}

/// lilv hands over each port's value in the type that its file has.
struct Setter {
  Lv2Instance* instance;
  UridMap* urids;

  static void set(const char* symbol, void* self, const void* value, std::uint32_t size, std::uint32_t type) {
    const auto* setter = static_cast<const Setter*>(self);
    const PluginPort* port = control_input(*setter->instance, symbol);
    if (port == nullptr) return;
    const char* known = setter->urids->unmap(type);
    const std::string_view uri = known == nullptr ? "" : known;
    float& control = setter->instance->control(port->index);
    if (uri == LV2_ATOM__Float) control = as<float>(value, size, control);
    if (uri == LV2_ATOM__Double) control = as<double>(value, size, control);
    if (uri == LV2_ATOM__Int || uri == LV2_ATOM__Bool) control = as<std::int32_t>(value, size, control);
    if (uri == LV2_ATOM__Long) control = as<std::int64_t>(value, size, control);
  }

  template <class T>
  static float as(const void* value, std::uint32_t size, float otherwise) {
    T result{};
    if (size != sizeof result) return otherwise;
    std::memcpy(&result, value, sizeof result);
    return static_cast<float>(result);
  }
};

struct Getter {
  Lv2Instance* instance;
  LV2_URID float_type;

  static const void* get(const char* symbol, void* self, std::uint32_t* size, std::uint32_t* type) {
    const auto* getter = static_cast<const Getter*>(self);
    const PluginPort* port = control_input(*getter->instance, symbol);
    *size = port == nullptr ? 0 : sizeof(float);
    *type = port == nullptr ? 0 : getter->float_type;
    return port == nullptr ? nullptr : &getter->instance->control(port->index);
  }
};

}  // namespace

std::vector<Preset> presets_of(const Lv2World& world, const LilvPlugin& plugin) {
  std::vector<Preset> presets;
  const NodesPtr nodes(lilv_plugin_get_related(&plugin, world.uri(LV2_PRESETS__Preset).get()));
  for (LilvIter* i = lilv_nodes_begin(nodes.get()); !lilv_nodes_is_end(nodes.get(), i);
       i = lilv_nodes_next(nodes.get(), i)) {
    const LilvNode* preset = lilv_nodes_get(nodes.get(), i);
    lilv_world_load_resource(world.lilv(), preset);
    presets.push_back({lilv_node_as_string(preset), text_of(world, preset, rdfs_label),
                       folder_of(text_of(world, preset, rdfs_see_also))});
  }
  std::sort(presets.begin(), presets.end(), [](const Preset& a, const Preset& b) { return a.label < b.label; });
  return presets;
}

Preset find_preset(const Lv2World& world, const LilvPlugin& plugin, const std::string& name) {
  const std::vector<Preset> presets = presets_of(world, plugin);
  std::string labels;
  for (const Preset& preset : presets) {
    if (preset.uri == name || preset.label == name) return preset;
    labels += (labels.empty() ? "\"" : ", \"") + preset.label + "\"";
  }
  throw Error(std::string(lilv_node_as_uri(lilv_plugin_get_uri(&plugin))) + " has no preset \"" + name + "\"; " +
              (labels.empty() ? "it has none at all" : "it has " + labels));
}

StatePtr load_preset(const Lv2World& world, UridMap& urids, const std::string& uri) {
  const NodePtr node = world.uri(uri.c_str());
  lilv_world_load_resource(world.lilv(), node.get());
  StatePtr state(lilv_state_new_from_world(world.lilv(), urids.map_feature(), node.get()));
  if (!state) throw Error("the preset " + uri + " cannot be read: its file is gone, or damaged");
  return state;
}

StatePtr load_default(const Lv2World& world, const LilvPlugin& plugin, UridMap& urids) {
  if (!lilv_plugin_has_feature(&plugin, world.uri(LV2_STATE__loadDefaultState).get())) return nullptr;
  return StatePtr(lilv_state_new_from_world(world.lilv(), urids.map_feature(), lilv_plugin_get_uri(&plugin)));
}

StatePtr read_state(const Lv2World& world, UridMap& urids, const std::string& text) {
  StatePtr state(lilv_state_new_from_string(world.lilv(), urids.map_feature(), text.c_str()));
  if (!state) throw Error("this is no state of an LV2 plug-in: \"" + text.substr(0, 60) + "\"");
  return state;
}

std::string write_state(const Lv2World& world, const LilvPlugin& plugin, Lv2Instance& instance, UridMap& urids) {
  Getter getter{&instance, urids.map(LV2_ATOM__Float)};
  const StatePtr state(lilv_state_new_from_instance(&plugin, instance.lilv(), urids.map_feature(), nullptr, nullptr,
                                                    nullptr, nullptr, Getter::get, &getter,
                                                    LV2_STATE_IS_POD | LV2_STATE_IS_PORTABLE, nullptr));
  const LilvText text(state ? lilv_state_to_string(world.lilv(), urids.map_feature(), urids.unmap_feature(),
                                                   state.get(), state_uri, nullptr)
                            : nullptr);
  if (!text)
    throw Error("the state of " + std::string(lilv_node_as_uri(lilv_plugin_get_uri(&plugin))) + " cannot be saved");
  return text.get();
}

void restore_state(const LilvState& state, Lv2Instance& instance, UridMap& urids, const LV2_Feature* const* features) {
  Setter setter{&instance, &urids};
  lilv_state_restore(&state, instance.lilv(), Setter::set, &setter, 0, features);
}

}  // namespace hotspare::audio
