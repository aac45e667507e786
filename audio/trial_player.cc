#include "trial_player.hpp"

#include "midi_area.hpp"
#include "plugin_ports.hpp"
#include "refusal.hpp"
#include "resolve.hpp"
#include "wav.hpp"

#include <time.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace hotspare::audio {

namespace {

constexpr std::uint32_t midi_bytes = 1024;
constexpr std::uint32_t most_channels = 16;

/// Processor time of this thread: what other programs take meanwhile is not the plug-in's.
double thread_us() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

/// One channel of what goes in; the others hear it later by some samples each, so that they differ.
std::vector<float> load_sound(const Trial& trial, double& rate) {
  rate = trial.sample_rate;
  std::vector<float> sound;
  if (trial.sound.empty()) {
    std::uint64_t state = 1;
    for (int i = 0; i < 48000; ++i) {
      state = state * 6364136223846793005U + 1442695040888963407U;  // Knuth's MMIX generator
      const double swell = std::sin(i * 3.14159265358979 / 48000);
      sound.push_back(static_cast<float>(swell * (static_cast<double>(state >> 11) * 0x1p-53 - 0.5)));
    }
    return sound;
  }
  WavReader reader(trial.sound);
  rate = reader.sample_rate();
  std::vector<float> all(reader.frames() * reader.channels());
  reader.read(all);
  for (std::size_t i = 0; i < all.size(); i += reader.channels()) sound.push_back(all[i]);
  return sound;
}

/// As many channels as the plug-in has, so that each of its ports is used.
std::uint32_t channels_of(const std::vector<PluginPort>& ports) {
  const auto count = [&](bool inputs) {
    return std::count_if(ports.begin(), ports.end(), [&](const PluginPort& port) {
      return port.kind == PortKind::audio && port.input == inputs && !port.sidechain;
    });
  };
  return static_cast<std::uint32_t>(std::clamp<std::ptrdiff_t>(std::max(count(true), count(false)), 1, most_channels));
}

}  // namespace

Stage set_stage(const Trial& trial) {
  Stage stage{.spec = {.plugins = {{.uri = trial.uri}}, .frames = trial.frames}};
  stage.sound = load_sound(trial, stage.spec.sample_rate);
  const Lv2World world;
  const LilvPlugin& plugin = world.get(trial.uri);
  const std::vector<PluginPort> ports = ports_of(world, plugin, stage.spec.sample_rate);
  stage.refused = reasons_to_refuse(world, plugin, ports, stage.spec.frames);
  if (!stage.refused.empty()) return stage;
  stage.spec.channels = channels_of(ports);
  if (takes_midi(stage.spec, world)) stage.spec.midi_bytes = midi_bytes;
  stage.spec = resolve(stage.spec, world);
  return stage;
}

TrialPlayer::TrialPlayer(const Stage& stage, double seconds)
    : layout_(stage.spec),
      rate_(stage.spec.sample_rate),
      sound_(stage.sound),
      blocks_(static_cast<std::uint64_t>(seconds * stage.spec.sample_rate / stage.spec.frames) + 1),
      in_(layout_.in_bytes()),
      out_(layout_.out_bytes()) {
  times_.reserve(blocks_);
}

void TrialPlayer::play(const Process& process, TrialResult& result) {
  result.sound = 14695981039346656037U;  // FNV-1a's start
  times_.clear();
  for (std::uint64_t block = 0; block < blocks_; ++block) {
    fill(block);
    const double start = thread_us();
    process(in_, out_);
    times_.push_back(thread_us() - start);
    look(result);
  }
}

void TrialPlayer::put_times(TrialResult& result) {
  std::sort(times_.begin(), times_.end());
  const auto quantile = [&](double part) {
    return times_[static_cast<std::size_t>(part * static_cast<double>(times_.size() - 1))];
  };
  result.blocks = times_.size();
  result.median_us = quantile(0.5);
  result.p99_us = quantile(0.99);
  result.max_us = times_.back();
}

void TrialPlayer::fill(std::uint64_t block) {
  const std::uint64_t first = block * layout_.frames();
  for (std::uint32_t channel = 0; channel < layout_.channels(); ++channel) {
    const std::span<float> to = layout_.channel(std::span(in_), channel);
    for (std::uint32_t i = 0; i < to.size(); ++i) to[i] = sound_[(first + i + 31 * channel) % sound_.size()];
  }
  if (layout_.has_midi()) play_notes(first);
}

/// Four notes a second, upwards through two octaves, each held for half of its time.
void TrialPlayer::play_notes(std::uint64_t first) {
  MidiWriter writer(layout_.midi(std::span(in_)));
  const auto step = static_cast<std::uint64_t>(rate_ / 8);
  const std::uint64_t next = (first + step - 1) / step;
  if (next * step >= first + layout_.frames()) return;
  const bool on = next % 2 == 0;
  const auto key = static_cast<std::uint8_t>(48 + next / 2 % 24);
  const std::array<std::byte, 3> note{std::byte{on ? std::uint8_t{0x90} : std::uint8_t{0x80}}, std::byte{key},
                                      std::byte{100}};
  writer.add(static_cast<std::uint32_t>(next * step - first), note);
}

void TrialPlayer::look(TrialResult& result) const {
  for (std::uint32_t channel = 0; channel < layout_.channels(); ++channel)
    for (const float sample : layout_.channel(std::span(out_), channel)) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, &sample, sizeof bits);
      result.sound = (result.sound ^ bits) * 1099511628211U;
      if (!std::isfinite(sample)) result.finite = false;
      if (sample != 0) result.silent = false;
    }
}

}  // namespace hotspare::audio
