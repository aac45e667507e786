#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

namespace hotspare::audio {

/// What became of the blocks so far.
struct ChannelFigures {
  std::uint64_t blocks = 0;
  std::uint64_t late = 0;  ///< Not answered by their deadline.
  std::uint64_t deaths = 0;
  std::uint64_t takeovers = 0;
  std::uint64_t bypassed = 0;           ///< Channels that gave their plug-ins up: sound passes by them.
  std::chrono::nanoseconds latency{0};  ///< From the call to the answer, of a typical block.
};

/// What answers blocks with blocks: a chain in this process, or replicas of it in others.
class BlockProcessor {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  virtual ~BlockProcessor() = default;
  /// Real-time: allocates nothing, takes no lock. False if there was no answer by the deadline; out is filled in any case.
  /// Threads: one at a time.
  virtual bool process(std::span<const std::byte> in, std::span<std::byte> out, Deadline deadline) = 0;
  /// Threads: any, at any time.
  virtual ChannelFigures figures() const = 0;
};

}  // namespace hotspare::audio
