#include "render.hpp"

#include "aligned.hpp"

#include <hotspare/error.hpp>

#include <algorithm>
#include <string>

namespace hotspare::audio {

namespace {

void to_planar(std::span<const float> interleaved, const BlockLayout& layout, std::span<std::byte> block) {
  for (std::uint32_t channel = 0; channel < layout.channels(); ++channel) {
    const std::span<float> to = layout.channel(block, channel);
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = interleaved[i * layout.channels() + channel];
  }
}

void to_interleaved(std::span<const std::byte> block, const BlockLayout& layout, std::span<float> interleaved) {
  for (std::uint32_t channel = 0; channel < layout.channels(); ++channel) {
    const std::span<const float> from = layout.channel(block, channel);
    for (std::size_t i = 0; i < from.size(); ++i) interleaved[i * layout.channels() + channel] = from[i];
  }
}

/// The buffers of one render.
struct Buffers {
  explicit Buffers(const BlockLayout& layout)
      : samples(std::size_t{layout.frames()} * layout.channels()), in(layout.in_bytes()), out(layout.out_bytes()) {}
  std::vector<float> samples;
  AlignedArray<std::byte> in;
  AlignedArray<std::byte> out;
};

}  // namespace

Rendered render(WavReader& input, std::uint64_t tail_frames, BlockProcessor& processor, const BlockLayout& layout,
                WavWriter& output) {
  if (input.channels() != layout.channels())
    throw Error("the sound has " + std::to_string(input.channels()) + " channels, and the chain was made for " +
                std::to_string(layout.channels()));
  Buffers buffers(layout);
  Rendered result;
  for (std::uint64_t tail = tail_frames;;) {
    const std::size_t got = input.read(buffers.samples);
    const auto of_tail = std::min<std::uint64_t>(tail, layout.frames() - got);
    tail -= of_tail;
    const std::size_t frames = got + of_tail;
    if (frames == 0) return result;
    std::fill(buffers.samples.begin() + static_cast<std::ptrdiff_t>(got * layout.channels()), buffers.samples.end(),
              0.0F);
    to_planar(buffers.samples, layout, buffers.in);
    const auto start = std::chrono::steady_clock::now();
    if (!processor.process(buffers.in, buffers.out, BlockProcessor::Deadline::max())) {
      if (processor.figures().bypassed == 0) throw Error("block " + std::to_string(result.blocks) + " has no answer");
      ++result.bypassed;
    }
    result.block_times.push_back(std::chrono::steady_clock::now() - start);
    to_interleaved(buffers.out, layout, buffers.samples);
    output.write(std::span(buffers.samples).first(frames * layout.channels()));
    result.frames += frames;
    ++result.blocks;
  }
}

}  // namespace hotspare::audio
