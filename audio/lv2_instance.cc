#include "lv2_instance.hpp"

#include "lv2_state.hpp"

#include <hotspare/error.hpp>

#include <string>

namespace hotspare::audio {

namespace {

/// More than any plug-in of Debian's suites asks for without saying so.
constexpr std::uint32_t least_sequence_bytes = 16 * 1024;

/// Beyond this a description is taken for wrong.
constexpr std::uint32_t most_sequence_bytes = 64U << 20;

std::uint32_t sequence_bytes(std::uint32_t asked, const ChainSpec& spec) {
  // An event's header grows from 8 bytes to 16 on its way from the MIDI area into a sequence, and is filled up to 8.
  const std::uint64_t midi = std::uint64_t{spec.midi_bytes} * 3;
  const std::uint64_t bytes = std::max<std::uint64_t>({asked, midi, least_sequence_bytes});
  if (bytes > most_sequence_bytes)
    throw Error("a plug-in asks for an event port of " + std::to_string(bytes) + " bytes");
  return static_cast<std::uint32_t>(bytes);
}

const LV2_Worker_Interface* worker_of(const LilvInstance* instance) {
  return static_cast<const LV2_Worker_Interface*>(lilv_instance_get_extension_data(instance, LV2_WORKER__interface));
}

}  // namespace

Lv2Instance::Lv2Instance(const LilvPlugin& plugin, const std::vector<PluginPort>& ports, UridMap& urids,
                         const ChainSpec& spec)
    : ports_(ports),
      frames_(spec.frames),
      features_(urids, work_, lilv_node_as_uri(lilv_plugin_get_uri(&plugin)), spec.sample_rate, spec.frames,
                sequence_bytes(0, spec)),
      controls_(ports.size()),
      instance_(lilv_plugin_instantiate(&plugin, spec.sample_rate, features_.list())) {
  if (!instance_)
    throw Error(std::string(lilv_node_as_uri(lilv_plugin_get_uri(&plugin))) + " could not be instantiated at " +
                std::to_string(spec.sample_rate) + " Hz with blocks of " + std::to_string(spec.frames) +
                " frames: its library does not load, or it refused itself; what it said stands above, if anything");
  work_.attach(lilv_instance_get_handle(instance_.get()), worker_of(instance_.get()));
  connect_all(spec, AtomUrids(urids));
}

Lv2Instance::~Lv2Instance() {
  if (active_) lilv_instance_deactivate(instance_.get());
}

void Lv2Instance::connect_all(const ChainSpec& spec, const AtomUrids& urids) {
  for (const PluginPort& port : ports_) {
    controls_.data()[port.index] = port.initial;
    switch (port.kind) {
      case PortKind::control: connect(port, &controls_.data()[port.index]); break;
      case PortKind::audio:
      case PortKind::cv: connect_audio(port); break;
      case PortKind::atom: connect_atoms(port, spec, urids); break;
      case PortKind::unknown: connect(port, nullptr); break;  // optional, else the plug-in had been refused
    }
  }
}

void Lv2Instance::connect_audio(const PluginPort& port) {
  AlignedArray<float>& signal = signals_.emplace_back(frames_);
  connect(port, signal.data());
  if (port.kind == PortKind::cv) {
    if (port.input) std::fill(signal.begin(), signal.end(), port.initial);
  } else if (!port.input) {
    outputs_.push_back(signal.data());
  } else if (!port.sidechain) {
    inputs_.push_back(signal.data());
  }
}

void Lv2Instance::connect_atoms(const PluginPort& port, const ChainSpec& spec, const AtomUrids& urids) {
  auto& buffers = port.input ? atom_inputs_ : atom_outputs_;
  const auto& buffer =
      buffers.emplace_back(std::make_unique<AtomBuffer>(urids, sequence_bytes(port.minimum_bytes, spec)));
  connect(port, buffer->sequence());
  AtomBuffer*& midi = port.input ? midi_input_ : midi_output_;
  if (port.midi && midi == nullptr) midi = buffer.get();
}

void Lv2Instance::restore(const LilvState& state, UridMap& urids) {
  restore_state(state, *this, urids, features_.list());
  work_.work();
}

void Lv2Instance::activate() {
  lilv_instance_activate(instance_.get());
  active_ = true;
}

void Lv2Instance::run() {
  for (const auto& buffer : atom_outputs_) buffer->offer();
  lilv_instance_run(instance_.get(), frames_);
  work_.end_run();
  for (const auto& buffer : atom_inputs_) buffer->clear();
}

float Lv2Instance::latency() const {
  for (const PluginPort& port : ports_)
    if (port.latency && port.kind == PortKind::control && !port.input) return controls_.data()[port.index];
  return 0;
}

}  // namespace hotspare::audio
