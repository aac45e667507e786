#pragma once

#include "realtime_stream.hpp"

#include <audio/aligned.hpp>
#include <audio/block_layout.hpp>
#include <audio/block_processor.hpp>
#include <audio/chain_processor.hpp>
#include <audio/replicated_processor.hpp>

#include <atomic>
#include <cstdint>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

/// A chain of plug-ins in replicas behind JACK, and beside it the same chain, undisturbed, to hold each answer against.
namespace bench {

/// Sound that goes on for ever: a file, from its end back to its begin, the same in all channels.
class SoundLoop {
 public:
  SoundLoop(const std::string& path, const hotspare::audio::ChainSpec& spec);
  /// What block number n sounds like.
  void fill(std::uint64_t number, std::span<std::byte> block) const;

 private:
  hotspare::audio::BlockLayout layout_;
  std::vector<float> samples_;
};

/// What goes into JACK's callback: has a channel process sound of our own, and keeps the answers for an undisturbed chain on
/// a thread of normal priority, which compares them bit for bit. The callback neither allocates nor waits for that thread.
class ComparedChannel final : public hotspare::audio::BlockProcessor {
 public:
  ComparedChannel(const hotspare::audio::ChainSpec& spec, hotspare::StandbyOptions options, const std::string& sound,
                  std::size_t blocks);
  ~ComparedChannel() override;
  bool process(std::span<const std::byte> in, std::span<std::byte> out, Deadline deadline) override;
  hotspare::audio::ChannelFigures figures() const override { return replicated_.figures(); }

  hotspare::StandbyChannel<hotspare::audio::ChainProcessor>& channel() { return replicated_.channel(); }
  std::uint64_t blocks() const { return done_.load(std::memory_order_acquire); }
  /// When JACK calls no more: compares what is left.
  void end();
  // After end():
  std::span<const BlockTimes> times() const { return std::span(times_).first(blocks()); }
  std::uint64_t wrong() const { return wrong_; }
  std::uint64_t not_compared() const { return not_compared_; }  ///< The comparing thread was too slow.

 private:
  /// Blocks that the comparing thread may lag behind: 20 s of 128 frames.
  static constexpr std::size_t room = 8192;
  void compare();
  std::span<std::byte> kept(std::uint64_t number) {
    return std::span(kept_.data(), kept_.size()).subspan(number % room * out_bytes_, out_bytes_);
  }

  hotspare::audio::ReplicatedProcessor replicated_;
  hotspare::audio::ChainProcessor reference_;
  SoundLoop sound_;
  std::size_t out_bytes_;
  hotspare::audio::AlignedArray<std::byte> in_;  ///< The callback's.
  hotspare::audio::AlignedArray<std::byte> kept_;
  std::vector<BlockTimes> times_;
  std::atomic<std::uint64_t> done_{0};
  std::atomic<bool> ending_{false};
  std::uint64_t wrong_ = 0;
  std::uint64_t not_compared_ = 0;
  std::counting_semaphore<> ready_{0};
  std::thread comparer_;
};

}  // namespace bench
