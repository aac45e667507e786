#include "channel_options.hpp"

#include <cstdint>

namespace hotspare::cli {

std::shared_ptr<ChannelOptions> add_channel_options(CLI::App& subcommand) {
  auto options = std::make_shared<ChannelOptions>();
  subcommand.add_option("--replicas", options->replicas, "Processes that work on every block; 0: this process alone")
      ->check(CLI::Range(0U, 8U))
      ->capture_default_str();
  subcommand.add_flag("--separate", options->separate,
                      "Each plug-in in replicas of its own: one that crashes leaves the others alone");
  subcommand.add_flag_function(
      "--spare,!--no-spare", [options](std::int64_t count) { options->spare = count > 0; },
      "One process more follows and takes the place of one that dies. Default: where the work is real-time");
  subcommand.add_option("--bypass-after", options->bypass_after,
                        "Deaths within a minute, after which the sound passes by what crashes; 0: never");
  subcommand
      .add_option_function<std::string>(
          "--chaos", [options](const std::string& text) { options->chaos = parse_chaos(text); },
          "Strike replicas on purpose: kill-every=50ms,ways=sigkill,segv,hang;seed=7")
      ->type_name("TEXT");
  return options;
}

}  // namespace hotspare::cli
