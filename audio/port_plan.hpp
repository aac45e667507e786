#pragma once

#include <vector>

namespace hotspare::audio {

/// Where the sound of one place comes from.
struct Source {
  enum class Kind : unsigned char {
    silence,
    one,     ///< The channel, or the plug-in's output, of this number.
    mean,    ///< Of all channels, or of the plug-in's first two outputs.
    through  ///< The channel as it came: the plug-in doesn't touch it.
  };
  Kind kind = Kind::silence;
  unsigned which = 0;
  bool operator==(const Source&) const = default;
};

/// How a plug-in of any number of inputs and outputs stands in a chain of a fixed number of channels.
struct PortPlan {
  unsigned instances = 1;        ///< More: one for each channel, each between that channel and itself.
  std::vector<Source> inputs;    ///< For each main input of the plug-in; of channels.
  std::vector<Source> channels;  ///< For each channel behind the plug-in; of outputs.
  bool operator==(const PortPlan&) const = default;
};

/// - As many as there are channels: one to one. One and one, several channels: an instance for each channel.
/// - Inputs beyond the channels hear silence, outputs beyond them are heard by nobody, channels beyond the outputs go
///   through as they are. No output: a meter, all goes through. No input: a generator, it takes the place of the sound.
/// - One input, several outputs: it hears the mean of the channels. One output: it goes to all channels.
/// - One channel: a plug-in's first two inputs both hear it, and the mean of its first two outputs is heard.
/// inputs: without sidechains, which hear silence.
PortPlan plan_ports(unsigned inputs, unsigned outputs, unsigned channels);

}  // namespace hotspare::audio
