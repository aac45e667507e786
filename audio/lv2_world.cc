#include "lv2_world.hpp"

#include <hotspare/error.hpp>

#include <new>

namespace hotspare::audio {

Lv2World::Lv2World() : Lv2World(std::vector<std::string>()) {}

Lv2World::Lv2World(const std::vector<std::string>& bundles) : world_(lilv_world_new()) {
  if (!world_) throw std::bad_alloc();
  if (bundles.empty()) lilv_world_load_all(world_.get());
  for (const std::string& bundle : bundles) lilv_world_load_bundle(world_.get(), uri(bundle.c_str()).get());
}

const LilvPlugin* Lv2World::find(const std::string& text) const {
  const NodePtr node = uri(text.c_str());  // null if the text is no URI at all
  return node ? lilv_plugins_get_by_uri(lilv_world_get_all_plugins(world_.get()), node.get()) : nullptr;
}

const LilvPlugin& Lv2World::get(const std::string& text) const {
  if (const LilvPlugin* plugin = find(text)) return *plugin;
  throw Error("no LV2 plug-in " + text + " is installed (hotspare plugins lists what is; LV2_PATH says where to look)");
}

std::vector<const LilvPlugin*> Lv2World::all() const {
  std::vector<const LilvPlugin*> all;
  const LilvPlugins* plugins = lilv_world_get_all_plugins(world_.get());
  for (LilvIter* i = lilv_plugins_begin(plugins); !lilv_plugins_is_end(plugins, i); i = lilv_plugins_next(plugins, i))
    all.push_back(lilv_plugins_get(plugins, i));
  return all;
}

}  // namespace hotspare::audio
