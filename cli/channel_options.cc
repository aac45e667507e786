#include "channel_options.hpp"

namespace hotspare::cli {

std::shared_ptr<ChannelOptions> add_channel_options(CLI::App& subcommand) {
  auto options = std::make_shared<ChannelOptions>();
  subcommand.add_option("--replicas", options->replicas, "Processes that work on every block; 0: this process alone")
      ->check(CLI::Range(0U, 8U))
      ->capture_default_str();
  subcommand
      .add_option_function<std::string>(
          "--chaos", [options](const std::string& text) { options->chaos = parse_chaos(text); },
          "Strike replicas on purpose: kill-every=50ms,ways=sigkill,segv,hang;seed=7")
      ->type_name("TEXT");
  return options;
}

}  // namespace hotspare::cli
