#include "plugins.hpp"
#include "printable.hpp"
#include "survey.hpp"

#include <audio/description.hpp>
#include <audio/wav.hpp>

#include <hotspare/error.hpp>

#include <cstdio>
#include <ctime>
#include <fstream>

namespace hotspare::cli {

namespace {

void print(const audio::Description& one) {
  std::printf("%-60s %-10s %s\n", printable(one.uri).c_str(), one.shape.c_str(), printable(one.name).c_str());
  for (const std::string& reason : one.refused) std::printf("    refused: %s\n", printable(reason).c_str());
  if (!one.unreadable.empty()) std::printf("    refused: %s\n", printable(one.unreadable).c_str());
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
  if (path.empty() || path == "-") {
    std::fputs(page.c_str(), stdout);
    return;
  }
  std::ofstream file(path, std::ios::binary);
  file << page;
  if (!file.flush()) throw Error(path + ": cannot be written");
}

}  // namespace

void run_plugins(const PluginsOptions& options) {
  const std::vector<audio::Description> plugins = audio::describe_installed(options.only);
  if (plugins.empty())
    std::fprintf(
        stderr,
        "hotspare: no LV2 plug-in is installed%s%s (LV2_PATH says where to look; Debian has mda-lv2, x42-plugins "
        "and others)\n",
        options.only.empty() ? "" : " whose URI holds ", printable(options.only).c_str());
  if (!options.survey) {
    for (const audio::Description& one : plugins) print(one);
    return;
  }
  if (!options.input.empty()) audio::WavReader{options.input};  // refused now, and not once for each plug-in
  std::vector<Surveyed> surveyed;
  for (const audio::Description& one : plugins)
    surveyed.push_back({.uri = one.uri, .name = one.name, .shape = one.shape, .error = one.unreadable});
  survey(surveyed, options);
  write(markdown(surveyed, options, today()), options.output);
}

}  // namespace hotspare::cli
