#pragma once

#include "aligned.hpp"
#include "atom_buffer.hpp"
#include "chain_spec.hpp"
#include "host_features.hpp"
#include "plugin_ports.hpp"
#include "work_queue.hpp"

#include <memory>
#include <span>
#include <vector>

namespace hotspare::audio {

/// One instance of a plug-in, with memory for each of its ports. Nothing is shared between ports, so that also plug-ins
/// that cannot work in place are safe.
class Lv2Instance {
 public:
  /// ports must live as long. Throws Error if the plug-in doesn't want to be.
  Lv2Instance(const LilvPlugin& plugin, const std::vector<PluginPort>& ports, UridMap& urids, const ChainSpec& spec);
  ~Lv2Instance();
  Lv2Instance(const Lv2Instance&) = delete;
  Lv2Instance& operator=(const Lv2Instance&) = delete;

  /// Before activate(): sets the ports and what else the state holds.
  void restore(const LilvState& state, UridMap& urids);
  /// A control's value, by the index of its port.
  float& control(std::uint32_t port) { return controls_.data()[port]; }
  float control(std::uint32_t port) const { return controls_.data()[port]; }
  void activate();

  /// Audio ports by number, without sidechains.
  std::span<float> input(std::size_t which) { return {inputs_[which], frames_}; }
  std::span<const float> output(std::size_t which) const { return {outputs_[which], frames_}; }
  std::size_t inputs() const { return inputs_.size(); }
  std::size_t outputs() const { return outputs_.size(); }
  /// The first port that takes MIDI, or gives it; null if there is none.
  AtomBuffer* midi_input() { return midi_input_; }
  AtomBuffer* midi_output() { return midi_output_; }

  /// One block. Real-time, as far as the plug-in is.
  void run();
  /// What the plug-in says its sound comes later, frames; 0 before the first run.
  float latency() const;

  LilvInstance* lilv() { return instance_.get(); }
  const std::vector<PluginPort>& ports() const { return ports_; }

 private:
  void connect_all(const ChainSpec& spec, const AtomUrids& urids);
  void connect_audio(const PluginPort& port);
  void connect_atoms(const PluginPort& port, const ChainSpec& spec, const AtomUrids& urids);
  void connect(const PluginPort& port, void* data) { lilv_instance_connect_port(instance_.get(), port.index, data); }

  const std::vector<PluginPort>& ports_;
  std::uint32_t frames_;
  WorkQueue work_;
  HostFeatures features_;
  AlignedArray<float> controls_;  ///< By port index.
  std::vector<AlignedArray<float>> signals_;
  std::vector<float*> inputs_;
  std::vector<float*> outputs_;
  std::vector<std::unique_ptr<AtomBuffer>> atom_inputs_;
  std::vector<std::unique_ptr<AtomBuffer>> atom_outputs_;
  AtomBuffer* midi_input_ = nullptr;
  AtomBuffer* midi_output_ = nullptr;
  InstancePtr instance_;  ///< Last: it goes first, while all that it is connected to is there.
  bool active_ = false;
};

}  // namespace hotspare::audio
