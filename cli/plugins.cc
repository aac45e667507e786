// hotspare plugins: what is installed, and what of it can be hosted.

#include "plugins.hpp"

#include "commands.hpp"
#include "duration.hpp"

#include <memory>

namespace hotspare::cli {

void add_plugins(CLI::App& command) {
  CLI::App* plugins = command.add_subcommand("plugins", "List the LV2 plug-ins that are installed");
  auto options = std::make_shared<PluginsOptions>();
  plugins->add_option("only", options->only, "Only those whose URI holds this")->type_name("TEXT");
  plugins->add_flag("--survey", options->survey, "Run each in a process of its own, and tell how it went");
  plugins->add_option("--input", options->input, "Survey: sound to send through (default: noise)")->type_name("FILE");
  plugins->add_option("-o,--output", options->output, "Survey: Markdown file (default: stdout)")->type_name("FILE");
  plugins
      ->add_option_function<std::string>(
          "--length", [options](const std::string& text) { options->length = parse_duration("--length", text); },
          "Survey: of sound for each (default: 10s)")
      ->type_name("TIME");
  plugins
      ->add_option("--kills", options->kills,
                   "Survey: kill one of two replicas of each so many times, and tell what was heard of it")
      ->check(CLI::Range(0U, 100U));
  plugins->callback([options] { run_plugins(*options); });
}

}  // namespace hotspare::cli
