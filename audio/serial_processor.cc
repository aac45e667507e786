#include "serial_processor.hpp"

#include <cstring>

namespace hotspare::audio {

namespace {

/// Of the time that is left, as much for this one as for each that comes after it: one that is late takes nobody's time.
BlockProcessor::Deadline share_of(BlockProcessor::Deadline deadline, std::size_t processors) {
  if (deadline == BlockProcessor::Deadline::max()) return deadline;
  const auto now = std::chrono::steady_clock::now();
  return now + (deadline - now) / static_cast<std::int64_t>(processors);
}

}  // namespace

SerialProcessor::SerialProcessor(const ChainSpec& spec, const Make& make)
    : between_(BlockLayout(spec).in_bytes()), sound_bytes_(BlockLayout(spec).out_bytes()) {
  for (const PluginSpec& plugin : spec.plugins) {
    ChainSpec one = spec;
    one.plugins = {plugin};
    processors_.push_back(make(one));
  }
}

bool SerialProcessor::process(std::span<const std::byte> in, std::span<std::byte> out, Deadline deadline) {
  bool on_time = true;
  std::memcpy(between_.data(), in.data(), in.size());  // its MIDI stays there for all of them
  std::memcpy(out.data(), in.data(), sound_bytes_);    // for no plug-ins at all
  const std::span<std::byte> next(between_.data(), between_.size());
  for (std::size_t i = 0; i < processors_.size(); ++i) {
    if (!processors_[i]->process(next, out, share_of(deadline, processors_.size() - i))) on_time = false;
    std::memcpy(next.data(), out.data(), sound_bytes_);
  }
  blocks_.fetch_add(1, std::memory_order_relaxed);
  if (!on_time) late_.fetch_add(1, std::memory_order_relaxed);
  return on_time;
}

ChannelFigures SerialProcessor::figures() const {
  ChannelFigures sum{.blocks = blocks_.load(std::memory_order_relaxed), .late = late_.load(std::memory_order_relaxed)};
  for (const auto& processor : processors_) {
    const ChannelFigures one = processor->figures();
    sum.deaths += one.deaths;
    sum.takeovers += one.takeovers;
    sum.bypassed += one.bypassed;
    sum.latency += one.latency;
  }
  return sum;
}

}  // namespace hotspare::audio
