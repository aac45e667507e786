#include "jack_stream.hpp"

#include <audio/wav.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace bench {

using hotspare::audio::BlockLayout;
using hotspare::audio::ChainSpec;

SoundLoop::SoundLoop(const std::string& path, const ChainSpec& spec) : layout_(spec) {
  hotspare::audio::WavReader reader(path);
  std::vector<float> interleaved(reader.frames() * reader.channels());
  interleaved.resize(reader.read(interleaved) * reader.channels());
  for (std::size_t at = 0; at < interleaved.size(); at += reader.channels()) samples_.push_back(interleaved[at]);
}

void SoundLoop::fill(std::uint64_t number, std::span<std::byte> block) const {
  for (std::uint32_t channel = 0; channel < layout_.channels(); ++channel) {
    std::uint64_t at = number * layout_.frames();
    for (float& sample : layout_.channel(block, channel)) sample = samples_[at++ % samples_.size()];
  }
}

ComparedChannel::ComparedChannel(const ChainSpec& spec, hotspare::StandbyOptions options, const std::string& sound,
                                 std::size_t blocks)
    : replicated_(spec, std::move(options)),
      reference_(spec),
      sound_(sound, spec),
      out_bytes_(BlockLayout(spec).out_bytes()),
      in_(BlockLayout(spec).in_bytes()),
      kept_(room * out_bytes_),
      times_(blocks),
      comparer_([this] { compare(); }) {}

ComparedChannel::~ComparedChannel() { end(); }

bool ComparedChannel::process(std::span<const std::byte>, std::span<std::byte> out, Deadline deadline) {
  const std::uint64_t number = done_.load(std::memory_order_relaxed);
  if (number == times_.size()) return true;
  sound_.fill(number, in_);
  BlockTimes& times = times_[number];
  times.begin = now_ns();
  times.answered = replicated_.process(in_, out, deadline);
  times.end = now_ns();
  std::memcpy(kept(number).data(), out.data(), out_bytes_);
  // SYNC POINT kept-block: acquired by compare().
  done_.store(number + 1, std::memory_order_release);
  ready_.release();
  return times.answered;
}

void ComparedChannel::end() {
  ending_ = true;
  ready_.release();
  if (comparer_.joinable()) comparer_.join();
}

void ComparedChannel::compare() {
  hotspare::audio::AlignedArray<std::byte> in(in_.size());
  hotspare::audio::AlignedArray<std::byte> right(out_bytes_);
  for (std::uint64_t number = 0;; ++number) {
    // SYNC POINT kept-block: released by process().
    while (done_.load(std::memory_order_acquire) <= number) {
      if (ending_) return;
      ready_.acquire();
    }
    sound_.fill(number, in);
    reference_.process(in, right);
    const bool differs = std::memcmp(kept(number).data(), right.data(), out_bytes_) != 0;
    // Too far behind: the callback may have kept another block there meanwhile.
    if (done_.load(std::memory_order_acquire) - number >= room) {
      ++not_compared_;
    } else if (differs && times_[number].answered) {
      ++wrong_;
    }
  }
}

}  // namespace bench
