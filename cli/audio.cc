// hotspare audio: plug-ins behind a JACK client.

#include "audio.hpp"

#include "chain_options.hpp"
#include "commands.hpp"
#include "duration.hpp"

namespace hotspare::cli {

void add_audio(CLI::App& command) {
  CLI::App* audio = command.add_subcommand("audio", "Run LV2 plug-ins behind a JACK client");
  auto options = std::make_shared<AudioOptions>();
  const auto chain = std::make_shared<ChainOptions>(*audio);
  audio->add_option("--channels", options->channels, "Audio inputs, and as many outputs")
      ->check(CLI::Range(1U, audio::ChainSpec::max_channels))
      ->capture_default_str();
  audio->add_flag("--midi", options->midi, "A MIDI input, too");
  audio->add_flag("--connect", options->connect, "Connect to the machine's own inputs and outputs");
  audio->add_option("--name", options->name, "Of the JACK client")->capture_default_str();
  audio->add_option("--server", options->server, "JACK server (default: JACK_DEFAULT_SERVER, or JACK's default)");
  audio
      ->add_option_function<std::string>(
          "--for", [options](const std::string& text) { options->run = parse_duration("--for", text); },
          "End after this time (default: on SIGINT or SIGTERM)")
      ->type_name("TIME");
  const auto channel = add_channel_options(*audio);
  audio->callback([options, chain, channel] {
    options->plugins = chain->plugins();
    options->channel = *channel;
    run_audio(*options);
  });
}

}  // namespace hotspare::cli
