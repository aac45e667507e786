#include "exit_status.hpp"
#include "plugins.hpp"

#include <audio/lv2_world.hpp>
#include <audio/plugin_ports.hpp>
#include <audio/refusal.hpp>

#include <algorithm>
#include <cstdio>

namespace hotspare::cli {

namespace {

/// What a listing supposes where no chain says otherwise.
constexpr double usual_rate = 48000;
constexpr std::uint32_t usual_frames = 128;

std::string name_of(const LilvPlugin& plugin) {
  const audio::NodePtr name(lilv_plugin_get_name(&plugin));
  return name ? lilv_node_as_string(name.get()) : "";
}

/// "2>2 MIDI": audio inputs and outputs.
std::string shape_of(const std::vector<audio::PluginPort>& ports) {
  const auto count = [&](bool inputs) {
    return std::count_if(ports.begin(), ports.end(), [&](const audio::PluginPort& port) {
      return port.kind == audio::PortKind::audio && port.input == inputs;
    });
  };
  const bool midi = std::any_of(ports.begin(), ports.end(), [](const auto& port) { return port.midi && port.input; });
  return std::to_string(count(true)) + ">" + std::to_string(count(false)) + (midi ? " MIDI" : "");
}

void print(const audio::Lv2World& world, const LilvPlugin& plugin, const char* uri) {
  const std::vector<audio::PluginPort> ports = audio::ports_of(world, plugin, usual_rate);
  const std::vector<std::string> reasons = audio::reasons_to_refuse(world, plugin, ports, usual_frames);
  std::printf("%-60s %-10s %s\n", uri, shape_of(ports).c_str(), name_of(plugin).c_str());
  for (const std::string& reason : reasons) std::printf("    refused: %s\n", reason.c_str());
}

}  // namespace

void run_plugins(const PluginsOptions& options) {
  if (options.survey) throw NotBuilt("--survey is not there yet");
  const audio::Lv2World world;
  std::size_t printed = 0;
  for (const LilvPlugin* plugin : world.all()) {
    const char* uri = lilv_node_as_uri(lilv_plugin_get_uri(plugin));
    if (std::string_view(uri).find(options.only) == std::string_view::npos) continue;
    print(world, *plugin, uri);
    ++printed;
  }
  if (printed == 0)
    std::fprintf(stderr, "hotspare: no LV2 plug-in is installed%s%s (LV2_PATH says where to look; Debian has mda-lv2, "
                         "x42-plugins and others)\n",
                 options.only.empty() ? "" : " whose URI holds ", options.only.c_str());
}

}  // namespace hotspare::cli
