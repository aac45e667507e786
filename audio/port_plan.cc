#include "port_plan.hpp"

namespace hotspare::audio {

namespace {

using Kind = Source::Kind;

Source source_of_input(unsigned input, unsigned inputs, unsigned channels) {
  if (channels == 1) return input < 2 ? Source{Kind::one, 0} : Source{Kind::silence};
  if (inputs == 1) return {Kind::mean};
  return input < channels ? Source{Kind::one, input} : Source{Kind::silence};
}

Source source_of_channel(unsigned channel, unsigned outputs, unsigned channels) {
  if (outputs == 0) return {Kind::through};
  if (outputs == 1) return {Kind::one, 0};
  if (channels == 1) return {Kind::mean};
  return channel < outputs ? Source{Kind::one, channel} : Source{Kind::through};
}

}  // namespace

PortPlan plan_ports(unsigned inputs, unsigned outputs, unsigned channels) {
  if (inputs == 1 && outputs == 1)
    return {channels, {{Kind::one, 0}}, std::vector<Source>(channels, Source{Kind::one, 0})};
  PortPlan plan;
  for (unsigned i = 0; i < inputs; ++i) plan.inputs.push_back(source_of_input(i, inputs, channels));
  for (unsigned i = 0; i < channels; ++i) plan.channels.push_back(source_of_channel(i, outputs, channels));
  return plan;
}

}  // namespace hotspare::audio
