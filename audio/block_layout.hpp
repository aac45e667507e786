#pragma once

#include "chain_spec.hpp"

#include <cstddef>
#include <span>

namespace hotspare::audio {

/// The bytes of one block: 32-bit floats, one channel after the other (planar, as LV2 and JACK have them), then the MIDI
/// area if the chain takes MIDI. Out is as in, without MIDI.
/// Blocks must be aligned for float.
class BlockLayout {
 public:
  explicit BlockLayout(const ChainSpec& spec)
      : frames_(spec.frames), channels_(spec.channels), midi_bytes_(spec.midi_bytes) {}

  std::size_t in_bytes() const { return out_bytes() + midi_bytes_; }
  std::size_t out_bytes() const { return std::size_t{channels_} * frames_ * sizeof(float); }
  std::uint32_t frames() const { return frames_; }
  std::uint32_t channels() const { return channels_; }
  bool has_midi() const { return midi_bytes_ != 0; }

  std::span<float> channel(std::span<std::byte> block, std::uint32_t which) const {
    return {reinterpret_cast<float*>(block.data()) + std::size_t{which} * frames_, frames_};
  }
  std::span<const float> channel(std::span<const std::byte> block, std::uint32_t which) const {
    return {reinterpret_cast<const float*>(block.data()) + std::size_t{which} * frames_, frames_};
  }
  std::span<std::byte> midi(std::span<std::byte> in) const { return in.subspan(out_bytes(), midi_bytes_); }
  std::span<const std::byte> midi(std::span<const std::byte> in) const { return in.subspan(out_bytes(), midi_bytes_); }

 private:
  std::uint32_t frames_;
  std::uint32_t channels_;
  std::uint32_t midi_bytes_;
};

}  // namespace hotspare::audio
