#pragma once

#include <audio/aligned.hpp>
#include <audio/block_layout.hpp>
#include <audio/midi_area.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace hotspare::audio::testing {

/// Blocks of a made-up sound, with a note on and off now and then if the chain takes MIDI: the same each time.
class MadeUpBlocks {
 public:
  explicit MadeUpBlocks(const ChainSpec& spec) : layout_(spec), in_(layout_.in_bytes()) {}

  std::span<const std::byte> next() {
    for (std::uint32_t channel = 0; channel < layout_.channels(); ++channel)
      for (std::uint32_t i = 0; i < layout_.frames(); ++i)
        layout_.channel(std::span(in_), channel)[i] = sample(number_ * layout_.frames() + i, channel);
    if (layout_.has_midi()) {
      MidiWriter writer(layout_.midi(std::span(in_)));
      const bool on = number_ % 40 == 3;
      const std::array<std::byte, 3> note{std::byte{on ? std::uint8_t{0x90} : std::uint8_t{0x80}}, std::byte{60},
                                          std::byte{100}};
      if (on || number_ % 40 == 20) writer.add(5, note);
    }
    ++number_;
    return in_;
  }

 private:
  /// A tone that swells and fades, with some noise.
  float sample(std::uint64_t at, std::uint32_t channel) {
    noise_ = noise_ * 6364136223846793005U + 1442695040888963407U;  // Knuth's MMIX generator
    const double tone =
        std::sin(0.05 * static_cast<double>(at) * (1 + channel)) * std::sin(1e-4 * static_cast<double>(at));
    return static_cast<float>(0.4 * tone + 0.05 * (static_cast<double>(noise_ >> 11) * 0x1p-53 - 0.5));
  }

  BlockLayout layout_;
  AlignedArray<std::byte> in_;
  std::uint64_t number_ = 0;
  std::uint64_t noise_ = 1;
};

/// All that comes out of so many made-up blocks.
template <class Processor>
std::vector<float> run_blocks(Processor& processor, const ChainSpec& spec, unsigned blocks) {
  const BlockLayout layout(spec);
  MadeUpBlocks input(spec);
  AlignedArray<std::byte> out(layout.out_bytes());
  std::vector<float> all;
  for (unsigned i = 0; i < blocks; ++i) {
    processor.process(input.next(), out);
    for (std::uint32_t channel = 0; channel < layout.channels(); ++channel) {
      const auto part = layout.channel(std::span(std::as_const(out)), channel);
      all.insert(all.end(), part.begin(), part.end());
    }
  }
  return all;
}

}  // namespace hotspare::audio::testing
