#include "plugins.hpp"
#include "survey.hpp"

#include <audio/lv2_world.hpp>
#include <audio/plugin_ports.hpp>
#include <audio/refusal.hpp>
#include <audio/wav.hpp>

#include <hotspare/error.hpp>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>

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

void print(const audio::Lv2World& world, const LilvPlugin& plugin, const Surveyed& one) {
  const std::vector<audio::PluginPort> ports = audio::ports_of(world, plugin, usual_rate);
  std::printf("%-60s %-10s %s\n", one.uri.c_str(), one.shape.c_str(), one.name.c_str());
  for (const std::string& reason : audio::reasons_to_refuse(world, plugin, ports, usual_frames))
    std::printf("    refused: %s\n", reason.c_str());
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm date{};
  gmtime_r(&now, &date);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", &date);
  return text;
}

void write(const std::string& page, const std::string& path) {
  if (path.empty()) {
    std::fputs(page.c_str(), stdout);
    return;
  }
  std::ofstream file(path, std::ios::binary);
  file << page;
  if (!file.flush()) throw Error(path + ": cannot be written");
}

/// In the order of their URIs.
std::vector<Surveyed> installed(const audio::Lv2World& world, const std::string& only) {
  std::vector<Surveyed> plugins;
  for (const LilvPlugin* plugin : world.all()) {
    const std::string uri = lilv_node_as_uri(lilv_plugin_get_uri(plugin));
    if (uri.find(only) == std::string::npos) continue;
    plugins.push_back(
        {.uri = uri, .name = name_of(*plugin), .shape = shape_of(audio::ports_of(world, *plugin, usual_rate))});
  }
  std::sort(plugins.begin(), plugins.end(), [](const Surveyed& a, const Surveyed& b) { return a.uri < b.uri; });
  return plugins;
}

}  // namespace

void run_plugins(const PluginsOptions& options) {
  const audio::Lv2World world;
  std::vector<Surveyed> plugins = installed(world, options.only);
  if (plugins.empty())
    std::fprintf(
        stderr,
        "hotspare: no LV2 plug-in is installed%s%s (LV2_PATH says where to look; Debian has mda-lv2, x42-plugins "
        "and others)\n",
        options.only.empty() ? "" : " whose URI holds ", options.only.c_str());
  if (!options.survey) {
    for (const Surveyed& one : plugins) print(world, world.get(one.uri), one);
    return;
  }
  if (!options.input.empty()) audio::WavReader{options.input};  // refused now, and not once for each plug-in
  survey(plugins, options);
  write(markdown(plugins, options, today()), options.output);
}

}  // namespace hotspare::cli
