#include "description.hpp"

#include "lv2_world.hpp"
#include "plugin_ports.hpp"
#include "refusal.hpp"

#include <hotspare/hotspare.hpp>

#include <algorithm>
#include <chrono>

namespace hotspare::audio {

namespace {

/// What a listing supposes where no chain says otherwise.
constexpr double usual_rate = 48000;
constexpr std::uint32_t usual_frames = 128;

/// In the process that workers are forked from.
const Lv2World& world() {
  static const Lv2World one;
  return one;
}
void load_world() { world(); }

std::string shape_of(const std::vector<PluginPort>& ports) {
  const auto count = [&](bool inputs) {
    return std::count_if(ports.begin(), ports.end(),
                         [&](const PluginPort& port) { return port.kind == PortKind::audio && port.input == inputs; });
  };
  const bool midi = std::any_of(ports.begin(), ports.end(), [](const auto& port) { return port.midi && port.input; });
  return std::to_string(count(true)) + ">" + std::to_string(count(false)) + (midi ? " MIDI" : "");
}

std::vector<std::string> list(const std::string& only) {
  std::vector<std::string> uris;
  for (const LilvPlugin* plugin : world().all()) {
    const std::string uri = lilv_node_as_uri(lilv_plugin_get_uri(plugin));
    if (uri.find(only) != std::string::npos) uris.push_back(uri);
  }
  std::sort(uris.begin(), uris.end());
  return uris;
}

Description describe(const std::string& uri) {
  const LilvPlugin* const plugin = world().find(uri);
  if (plugin == nullptr) return {.uri = uri};  // not installed: whoever needs it says so
  const NodePtr name(lilv_plugin_get_name(plugin));
  const std::vector<PluginPort> ports = ports_of(world(), *plugin, usual_rate);
  return {.uri = uri,
          .name = name ? lilv_node_as_string(name.get()) : "",
          .shape = shape_of(ports),
          .refused = reasons_to_refuse(world(), *plugin, ports, usual_frames)};
}

class Reader {
 public:
  Reader() : pool_(options()) {
    limits_.timeout = std::chrono::seconds(30);
    limits_.memory_limit = std::size_t{1} << 30;
  }
  std::vector<std::string> uris(const std::string& only) { return pool_.submit(limits_, list, only).get(); }
  std::vector<Description> read(const std::vector<std::string>& uris) {
    std::vector<Future<Description>> futures;
    for (const std::string& uri : uris) futures.push_back(pool_.submit(limits_, describe, uri));
    std::vector<Description> all;
    for (std::size_t i = 0; i < uris.size(); ++i) all.push_back(outcome_of(futures[i], uris[i]));
    return all;
  }

 private:
  static PoolOptions options() {
    PoolOptions options;
    options.preload = load_world;
    options.worker_stderr = Stderr::capture;
    options.name = "hotspare descriptions";
    return options;
  }
  static Description outcome_of(const Future<Description>& future, const std::string& uri) {
    Description unreadable{.uri = uri};
    try {
      return future.get();
    } catch (const WorkerDied& death) {
      unreadable.unreadable = "its description cannot be read: the process that tried " + end_of(death.report());
    } catch (const Error& error) {
      unreadable.unreadable = std::string("its description cannot be read: ") + error.what();
    }
    return unreadable;
  }
  static std::string end_of(const CrashReport& report) {
    if (report.cause == Cause::deadline) return "did not come to an end";
    if (report.cause == Cause::memory_limit) return "took more than 1 GB";
    return "died (" + std::string(report.cause_name()) +
           (report.signal != 0 ? " " + std::to_string(report.signal) : "") + ")";
  }

  Pool pool_;
  TaskOptions limits_;
};

}  // namespace

std::vector<Description> describe_installed(const std::string& only) {
  Reader reader;
  return reader.read(reader.uris(only));
}

void require_readable(const std::vector<PluginSpec>& plugins) {
  if (plugins.empty()) return;
  std::vector<std::string> uris;
  for (const PluginSpec& each : plugins) uris.push_back(each.uri);
  for (const Description& each : Reader().read(uris))
    if (!each.unreadable.empty()) throw Error(each.uri + ": " + each.unreadable);
}

}  // namespace hotspare::audio
