#pragma once

#include "output_file.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

// libsndfile's handle, so that its header isn't needed here.
struct sf_private_tag;

namespace hotspare::audio {

struct CloseSound {
  void operator()(sf_private_tag* file) const;
};
using SoundFile = std::unique_ptr<sf_private_tag, CloseSound>;

/// A file of sound, read as interleaved 32-bit floats in blocks: WAV, and what else libsndfile knows. Any rate.
class WavReader {
 public:
  /// Throws Error: cannot be opened, is no sound, is cut, or has no frames.
  explicit WavReader(const std::filesystem::path& path);

  double sample_rate() const { return sample_rate_; }
  std::uint32_t channels() const { return channels_; }
  std::uint64_t frames() const { return frames_; }  ///< As its header has it.
  /// How many frames there were, fewer than asked for only at the end. Throws Error: cannot be read on.
  std::size_t read(std::span<float> interleaved);

 private:
  std::filesystem::path path_;
  SoundFile file_;
  double sample_rate_ = 0;
  std::uint32_t channels_ = 0;
  std::uint64_t frames_ = 0;
  std::uint64_t read_ = 0;  ///< Frames.
};

/// A WAV file of 32-bit floats, there when finish() has returned: nobody takes half of it for the whole. The same samples
/// make the same file, byte for byte.
class WavWriter {
 public:
  /// Throws Error: cannot be created.
  WavWriter(const std::filesystem::path& path, double sample_rate, std::uint32_t channels);
  /// Throws Error: cannot be written, or beyond the 4 GB of a WAV file.
  void write(std::span<const float> interleaved);
  /// Throws Error.
  void finish();

 private:
  OutputFile output_;
  SoundFile file_;             ///< After it: closing writes the header.
  std::uint64_t written_ = 0;  ///< Bytes.
};

}  // namespace hotspare::audio
