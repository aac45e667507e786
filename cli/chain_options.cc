#include "chain_options.hpp"

#include "exit_status.hpp"

#include <charconv>
#include <map>
#include <string>

namespace hotspare::cli {

namespace {

CLI::Option* add_repeated(CLI::App& subcommand, const std::string& name, const std::string& type,
                          const std::string& text) {
  return subcommand.add_option(name)
      ->expected(1)
      ->type_name(type)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->description(text);
}

audio::Control parse_control(const std::string& text) {
  const std::size_t equals = text.find('=');
  audio::Control control{.symbol = text.substr(0, equals)};
  const char* const end = text.data() + text.size();
  std::from_chars_result read{end, std::errc::invalid_argument};
  if (equals != std::string::npos) read = std::from_chars(text.data() + equals + 1, end, control.value);
  if (control.symbol.empty() || read.ec != std::errc() || read.ptr != end)
    throw UsageError("--set expects symbol=number, as gain=-6, not \"" + text + "\"");
  return control;
}

}  // namespace

ChainOptions::ChainOptions(CLI::App& subcommand)
    : subcommand_(&subcommand),
      plugin_(
          add_repeated(subcommand, "--plugin", "URI",
                       "LV2 plug-in that the sound goes through; several: in this order. hotspare plugins lists them")),
      preset_(add_repeated(subcommand, "--preset", "P", "Preset, by URI or label, of the --plugin before it")),
      set_(add_repeated(subcommand, "--set", "SYMBOL=VALUE", "Control of the --plugin before it; may be repeated")) {}

std::vector<audio::PluginSpec> ChainOptions::plugins() const {
  std::vector<audio::PluginSpec> plugins;
  std::map<const CLI::Option*, std::size_t> read;
  for (const CLI::Option* option : subcommand_->parse_order()) {
    if (option != plugin_ && option != preset_ && option != set_) continue;
    const std::string& value = option->results().at(read[option]++);
    if (option == plugin_) {
      plugins.push_back({.uri = value});
    } else if (plugins.empty()) {
      throw UsageError(option->get_name() + " belongs to the --plugin before it, and there is none");
    } else if (option == preset_) {
      if (!plugins.back().preset.empty()) throw UsageError("two --preset for one --plugin: " + value);
      plugins.back().preset = value;
    } else {
      plugins.back().controls.push_back(parse_control(value));
    }
  }
  return plugins;
}

}  // namespace hotspare::cli
