#include "lv2_chain.hpp"

#include "denormals.hpp"
#include "lv2_state.hpp"
#include "midi_area.hpp"
#include "refusal.hpp"
#include "resolve.hpp"

#include <hotspare/error.hpp>

#include <algorithm>
#include <cmath>

namespace hotspare::audio {

namespace {

const ChainSpec& checked(const ChainSpec& spec) {
  check_geometry(spec);
  return spec;
}

}  // namespace

/// One plug-in of the chain: an instance, or one for each channel.
class Lv2Chain::Stage {
 public:
  Stage(const Lv2World& world, UridMap& urids, const ChainSpec& spec, const PluginSpec& plugin)
      : plugin_(world.get(plugin.uri)), ports_(ports_of(world, plugin_, spec.sample_rate)), layout_(spec) {
    refuse_unless_possible(world, plugin_, ports_, spec.frames);
    plan_ = plan_ports(count(true), count(false), spec.channels);
    for (unsigned i = 0; i < plan_.instances; ++i)
      instances_.push_back(std::make_unique<Lv2Instance>(plugin_, ports_, urids, spec));
    set_up(world, urids, plugin);
    for (const auto& instance : instances_) instance->activate();
  }

  /// The signal goes in, and what has become of it comes out in the same place.
  void run(std::span<std::byte> signal, AtomBuffer& midi) {
    for (unsigned i = 0; i < instances_.size(); ++i) {
      feed(i, signal);
      if (AtomBuffer* input = instances_[i]->midi_input()) copy_midi(midi, *input);
    }
    for (const auto& instance : instances_) instance->run();
    fetch(signal);
    if (AtomBuffer* output = instances_.front()->midi_output()) {
      midi.clear();
      copy_midi(*output, midi);
    }
  }

  std::string state(const Lv2World& world, UridMap& urids) {
    return write_state(world, plugin_, *instances_.front(), urids);
  }

  float latency() const { return instances_.front()->latency(); }

 private:
  unsigned count(bool inputs) const {
    return static_cast<unsigned>(std::count_if(ports_.begin(), ports_.end(), [&](const PluginPort& port) {
      return port.kind == PortKind::audio && port.input == inputs && !port.sidechain;
    }));
  }

  void set_up(const Lv2World& world, UridMap& urids, const PluginSpec& plugin) {
    std::vector<StatePtr> states;
    states.push_back(load_default(world, plugin_, urids));
    if (!plugin.preset.empty())
      states.push_back(load_preset(world, urids, find_preset(world, plugin_, plugin.preset).uri));
    if (!plugin.state.empty()) states.push_back(read_state(world, urids, plugin.state));
    for (const auto& instance : instances_) {
      for (const StatePtr& state : states)
        if (state) instance->restore(*state, urids);
      for (const Control& control : plugin.controls)
        instance->control(port_of(control, plugin.uri, ports_).index) = control.value;
    }
  }

  static void copy_midi(AtomBuffer& from, AtomBuffer& to) {
    from.for_each_midi([&](std::int64_t frame, std::span<const std::byte> bytes) { to.add_midi(frame, bytes); });
  }

  void feed(unsigned which, std::span<std::byte> signal) {
    Lv2Instance& instance = *instances_[which];
    for (std::size_t i = 0; i < plan_.inputs.size(); ++i) {
      const Source source = plan_.inputs[i];
      const std::span<float> to = instance.input(i);
      const std::uint32_t channel = instances_.size() > 1 ? which : source.which;
      if (source.kind == Source::Kind::silence) std::fill(to.begin(), to.end(), 0.0F);
      if (source.kind == Source::Kind::one) copy(layout_.channel(signal, channel), to);
      if (source.kind == Source::Kind::mean) mean_of_channels(signal, to);
    }
  }

  void fetch(std::span<std::byte> signal) {
    for (std::uint32_t channel = 0; channel < layout_.channels(); ++channel) {
      const Source source = plan_.channels[channel];
      const Lv2Instance& instance = *instances_[instances_.size() > 1 ? channel : 0];
      const std::span<float> to = layout_.channel(signal, channel);
      if (source.kind == Source::Kind::one) copy(instance.output(source.which), to);
      if (source.kind != Source::Kind::mean) continue;
      const std::span<const float> left = instance.output(0);
      const std::span<const float> right = instance.output(1);
      for (std::size_t i = 0; i < to.size(); ++i) to[i] = (left[i] + right[i]) / 2;
    }
  }

  void mean_of_channels(std::span<std::byte> signal, std::span<float> to) const {
    std::fill(to.begin(), to.end(), 0.0F);
    for (std::uint32_t channel = 0; channel < layout_.channels(); ++channel) {
      const std::span<const float> from = layout_.channel(signal, channel);
      for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
    }
    for (float& sample : to) sample /= static_cast<float>(layout_.channels());
  }

  static void copy(std::span<const float> from, std::span<float> to) {
    std::copy(from.begin(), from.end(), to.begin());
  }

  const LilvPlugin& plugin_;
  std::vector<PluginPort> ports_;
  BlockLayout layout_;
  PortPlan plan_;
  std::vector<std::unique_ptr<Lv2Instance>> instances_;
};

Lv2Chain::Lv2Chain(const ChainSpec& spec)
    : layout_(checked(spec)),
      world_(spec.bundles),
      midi_(AtomUrids(urids_), std::max(std::uint32_t{4096}, spec.midi_bytes * 3)) {
  for (const PluginSpec& plugin : spec.plugins)
    stages_.push_back(std::make_unique<Stage>(world_, urids_, spec, plugin));
}

Lv2Chain::~Lv2Chain() = default;

void Lv2Chain::process(std::span<const std::byte> in, std::span<std::byte> out) {
  const FlushDenormals flush;
  std::copy_n(in.begin(), layout_.out_bytes(), out.begin());
  midi_.clear();
  if (layout_.has_midi())
    for (MidiReader events(layout_.midi(in)); const auto event = events.next();)
      midi_.add_midi(std::min(event->frame, layout_.frames() - 1), event->bytes);
  for (const auto& stage : stages_) stage->run(out, midi_);
}

std::string Lv2Chain::state(std::size_t plugin) { return stages_.at(plugin)->state(world_, urids_); }

std::uint32_t Lv2Chain::latency() const {
  double frames = 0;
  for (const auto& stage : stages_) frames += std::clamp(static_cast<double>(stage->latency()), 0.0, 1e6);
  return static_cast<std::uint32_t>(std::lround(frames));
}

}  // namespace hotspare::audio
