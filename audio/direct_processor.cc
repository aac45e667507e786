#include "direct_processor.hpp"

namespace hotspare::audio {

bool DirectProcessor::process(std::span<const std::byte> in, std::span<std::byte> out, Deadline deadline) {
  const auto start = std::chrono::steady_clock::now();
  processor_.process(in, out);
  const auto end = std::chrono::steady_clock::now();
  const std::int64_t took = std::chrono::nanoseconds(end - start).count();
  const std::int64_t before = latency_ns_.load(std::memory_order_relaxed);
  // A mean that forgets: each block counts for a sixteenth.
  latency_ns_.store(before == 0 ? took : before + (took - before) / 16, std::memory_order_relaxed);
  blocks_.fetch_add(1, std::memory_order_relaxed);
  if (end <= deadline) return true;
  late_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

ChannelFigures DirectProcessor::figures() const {
  return {.blocks = blocks_.load(std::memory_order_relaxed),
          .late = late_.load(std::memory_order_relaxed),
          .latency = std::chrono::nanoseconds(latency_ns_.load(std::memory_order_relaxed))};
}

}  // namespace hotspare::audio
