#include "wav.hpp"

#include <hotspare/error.hpp>

#include <sndfile.h>

#include <array>
#include <cmath>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

namespace hotspare::audio {

namespace {

/// RIFF counts bytes in 32 bits; some are the header's.
constexpr std::uint64_t most_wav_bytes = 0xffffffffU - 4096;

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& why) {
  throw Error(path.string() + ": " + why);
}

/// Bytes of sound that the header of a WAV file announces and the file does not have. libsndfile takes what is there for all.
std::uint64_t bytes_missing(const std::filesystem::path& path) {
  constexpr std::uint32_t of_unknown_length = 0xfffff000;  // and above: written into a pipe
  std::ifstream file(path, std::ios::binary);
  const std::uint64_t size = std::filesystem::file_size(path);
  const auto name = [&] {
    std::array<char, 4> text{};
    file.read(text.data(), text.size());
    return std::string(text.data(), text.size());
  };
  const auto number = [&] {
    std::array<unsigned char, 4> bytes{};
    file.read(reinterpret_cast<char*>(bytes.data()), bytes.size());
    return std::uint32_t{bytes[0]} | std::uint32_t{bytes[1]} << 8 | std::uint32_t{bytes[2]} << 16 |
           std::uint32_t{bytes[3]} << 24;
  };
  if (name() != "RIFF") return 0;
  number();
  if (name() != "WAVE") return 0;
  for (std::uint64_t at = 12; at + 8 <= size && file;) {
    const std::string chunk = name();
    const std::uint32_t bytes = number();
    at += 8;
    if (chunk == "data") return bytes >= of_unknown_length || bytes <= size - at ? 0 : bytes - (size - at);
    at += std::uint64_t{bytes} + bytes % 2;
    file.seekg(static_cast<std::streamoff>(at));
  }
  return 0;
}

}  // namespace

void CloseSound::operator()(sf_private_tag* file) const { sf_close(file); }

WavReader::WavReader(const std::filesystem::path& path) : path_(path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (error && std::filesystem::exists(status)) refuse(path, "cannot be looked at: " + error.message());
  if (!std::filesystem::exists(status)) refuse(path, "no such file");
  if (std::filesystem::is_directory(status)) refuse(path, "is a folder, not a file of sound");
  SF_INFO info{};
  file_.reset(sf_open(path.c_str(), SFM_READ, &info));
  if (!file_) refuse(path, std::string("is no sound that can be read (WAV is): ") + sf_strerror(nullptr));
  if (info.frames <= 0) refuse(path, "holds no sound: its header says 0 frames");
  if (std::filesystem::is_regular_file(status)) {
    if (const std::uint64_t missing = bytes_missing(path); missing != 0)
      refuse(path, "is cut: its header announces " + std::to_string(missing) + " bytes of sound more than there are");
  }
  sample_rate_ = info.samplerate;
  channels_ = static_cast<std::uint32_t>(info.channels);
  frames_ = static_cast<std::uint64_t>(info.frames);
}

std::size_t WavReader::read(std::span<float> interleaved) {
  const auto asked = static_cast<sf_count_t>(interleaved.size() / channels_);
  const sf_count_t got = sf_readf_float(file_.get(), interleaved.data(), asked);
  if (sf_error(file_.get()) != SF_ERR_NO_ERROR)
    refuse(path_, std::string("cannot be read on: ") + sf_strerror(file_.get()));
  read_ += static_cast<std::uint64_t>(got);
  if (got < asked && read_ < frames_)
    refuse(path_, "is cut: of " + std::to_string(frames_) + " frames there are " + std::to_string(read_));
  return static_cast<std::size_t>(got);
}

WavWriter::WavWriter(const std::filesystem::path& path, double sample_rate, std::uint32_t channels) try
    : output_(path) {
  SF_INFO info{};
  info.samplerate = static_cast<int>(std::lround(sample_rate));
  info.channels = static_cast<int>(channels);
  info.format = SF_FORMAT_WAV | SF_FORMAT_FLOAT;
  file_.reset(sf_open_fd(output_.descriptor(), SFM_WRITE, &info, SF_FALSE));
  if (!file_) refuse(path, std::string("cannot be written: ") + sf_strerror(nullptr));
  // A peak chunk holds the time of day: the same sound would make another file.
  sf_command(file_.get(), SFC_SET_ADD_PEAK_CHUNK, nullptr, SF_FALSE);
} catch (const std::filesystem::filesystem_error& error) {
  refuse(path, "cannot be written: " + error.code().message());
}

void WavWriter::write(std::span<const float> interleaved) {
  written_ += interleaved.size_bytes();
  if (written_ > most_wav_bytes) refuse(output_.path(), "a WAV file holds 4 GB at most; render it in parts");
  const auto wanted = static_cast<sf_count_t>(interleaved.size());
  if (sf_write_float(file_.get(), interleaved.data(), wanted) != wanted)
    refuse(output_.path(), std::string("cannot be written on: ") + sf_strerror(file_.get()));
}

void WavWriter::finish() {
  sf_write_sync(file_.get());
  if (sf_close(file_.release()) != SF_ERR_NO_ERROR) refuse(output_.path(), "could not be completed: is the disk full?");
  try {
    output_.publish();
  } catch (const std::filesystem::filesystem_error& error) {
    refuse(output_.path(), "could not be put in place: " + error.code().message());
  }
}

}  // namespace hotspare::audio
