// hotspare render: a file of sound through a chain of plug-ins.

#include "render.hpp"

#include "chain_options.hpp"
#include "commands.hpp"
#include "duration.hpp"

namespace hotspare::cli {

void add_render(CLI::App& command) {
  CLI::App* render = command.add_subcommand("render", "Send a WAV file through LV2 plug-ins");
  auto options = std::make_shared<RenderOptions>();
  render->add_option("input", options->input, "Sound file to read")->type_name("FILE")->required();
  render->add_option("-o,--output", options->output, "WAV file to write, 32-bit float")->type_name("FILE")->required();
  const auto chain = std::make_shared<ChainOptions>(*render);
  render->add_option("--frames", options->frames, "Frames of a block")
      ->check(CLI::Range(1U, audio::ChainSpec::max_frames))
      ->capture_default_str();
  render
      ->add_option_function<std::string>(
          "--tail", [options](const std::string& text) { options->tail = parse_duration("--tail", text); },
          "Silence added to the input, for what rings on")
      ->type_name("TIME");
  const auto channel = add_channel_options(*render);
  render->callback([options, chain, channel] {
    options->plugins = chain->plugins();
    options->channel = *channel;
    run_render(*options);
  });
}

}  // namespace hotspare::cli
