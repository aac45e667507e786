#include "refusal.hpp"

#include "host_features.hpp"

#include <lv2/buf-size/buf-size.h>
#include <lv2/options/options.h>
#include <lv2/parameters/parameters.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace hotspare::audio {

namespace {

std::vector<std::string> texts(const LilvNodes* nodes) {
  std::vector<std::string> texts;
  for (LilvIter* i = lilv_nodes_begin(nodes); !lilv_nodes_is_end(nodes, i); i = lilv_nodes_next(nodes, i))
    texts.emplace_back(lilv_node_as_string(lilv_nodes_get(nodes, i)));
  std::sort(texts.begin(), texts.end());
  return texts;
}

bool has_option(std::string_view uri) {
  constexpr std::array<std::string_view, 5> known{LV2_BUF_SIZE__minBlockLength, LV2_BUF_SIZE__maxBlockLength,
                                                  LV2_BUF_SIZE__nominalBlockLength, LV2_BUF_SIZE__sequenceSize,
                                                  LV2_PARAMETERS__sampleRate};
  return std::find(known.begin(), known.end(), uri) != known.end();
}

}  // namespace

std::vector<std::string> reasons_to_refuse(const Lv2World& world, const LilvPlugin& plugin,
                                           const std::vector<PluginPort>& ports, std::uint32_t frames) {
  std::vector<std::string> reasons;
  if (lilv_plugin_get_library_uri(&plugin) == nullptr) reasons.emplace_back("its description names no library");
  const NodesPtr features(lilv_plugin_get_required_features(&plugin));
  for (const std::string& uri : texts(features.get()))
    if (!HostFeatures::offers(uri, frames)) reasons.push_back("it requires " + uri);
  const NodesPtr options(lilv_plugin_get_value(&plugin, world.uri(LV2_OPTIONS__requiredOption).get()));
  for (const std::string& uri : texts(options.get()))
    if (!has_option(uri)) reasons.push_back("it requires the option " + uri);
  for (const PluginPort& port : ports)
    if (port.kind == PortKind::unknown && !port.optional)
      reasons.push_back("its port \"" + port.symbol + "\" is neither audio, CV, control nor atom");
  return reasons;
}

void refuse_unless_possible(const Lv2World& world, const LilvPlugin& plugin, const std::vector<PluginPort>& ports,
                            std::uint32_t frames) {
  const std::vector<std::string> reasons = reasons_to_refuse(world, plugin, ports, frames);
  if (reasons.empty()) return;
  std::string all;
  for (const std::string& reason : reasons) all += (all.empty() ? "" : "; ") + reason;
  throw Refused(std::string(lilv_node_as_uri(lilv_plugin_get_uri(&plugin))) + " cannot be hosted: " + all);
}

}  // namespace hotspare::audio
