#pragma once

#include "aligned.hpp"
#include "block_layout.hpp"
#include "chain_spec.hpp"
#include "trial.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace hotspare::audio {

/// A plug-in that is about to be tried: a chain of it alone, with as many channels as it has, and what it is to hear.
struct Stage {
  ChainSpec spec;
  std::vector<float> sound;          ///< One channel.
  std::vector<std::string> refused;  ///< Why it will not be tried; empty: it will.
};
/// Throws Error.
Stage set_stage(const Trial& trial);

/// Sends the same blocks through anything that answers blocks.
class TrialPlayer {
 public:
  using Process = std::function<void(std::span<const std::byte> in, std::span<std::byte> out)>;
  TrialPlayer(const Stage& stage, double seconds);

  std::uint64_t blocks() const { return blocks_; }
  /// Fills in what concerns the sound: sound, finite, silent.
  void play(const Process& process, TrialResult& result);
  /// Of the last play().
  void put_times(TrialResult& result);

 private:
  void fill(std::uint64_t block);
  void play_notes(std::uint64_t first);
  void look(TrialResult& result) const;

  BlockLayout layout_;
  double rate_;
  std::vector<float> sound_;
  std::uint64_t blocks_;
  AlignedArray<std::byte> in_;
  AlignedArray<std::byte> out_;
  std::vector<double> times_;  ///< us, of the thread's processor time.
};

}  // namespace hotspare::audio
