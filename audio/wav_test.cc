#include "wav.hpp"

#include "test_support/installed.hpp"

#include <hotspare/error.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <vector>

namespace hotspare::audio {
namespace {

class Wav : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path file(const std::string& name) const { return folder_ / name; }
  static std::string content(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  static void write(const std::filesystem::path& path, const std::vector<float>& samples, double rate,
                    unsigned channels) {
    WavWriter writer(path, rate, channels);
    writer.write(samples);
    writer.finish();
  }

  std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / ("hotspare_wav_" + std::to_string(getpid()));
};

TEST_F(Wav, GivesBackEveryBit) {
  std::vector<float> samples;
  for (int i = 0; i < 3000; ++i) samples.push_back(std::sin(static_cast<float>(i)) * 1.5F);
  samples[7] = std::numeric_limits<float>::denorm_min();
  for (const double rate : {8000.0, 44100.0, 48000.0, 192000.0}) {
    write(file("a.wav"), samples, rate, 3);
    WavReader reader(file("a.wav"));
    EXPECT_EQ(reader.sample_rate(), rate);
    EXPECT_EQ(reader.channels(), 3U);
    EXPECT_EQ(reader.frames(), 1000U);
    std::vector<float> read(samples.size() + 300);
    EXPECT_EQ(reader.read(read), 1000U);
    read.resize(samples.size());
    EXPECT_EQ(read, samples);
    EXPECT_EQ(reader.read(read), 0U);
  }
}

TEST_F(Wav, TheSameSamplesMakeTheSameFile) {
  write(file("a.wav"), {0.25F, -0.5F}, 48000, 1);
  write(file("b.wav"), {0.25F, -0.5F}, 48000, 1);
  EXPECT_EQ(content(file("a.wav")), content(file("b.wav")));
}

TEST_F(Wav, WhatIsNotFinishedIsNotThere) {
  {
    WavWriter writer(file("a.wav"), 48000, 1);
    writer.write(std::vector<float>{1, 2, 3});
    EXPECT_FALSE(std::filesystem::exists(file("a.wav")));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(Wav, WhatIsFinishedTakesThePlaceOfWhatWasThere) {
  write(file("a.wav"), {1, 2, 3, 4}, 48000, 1);
  write(file("a.wav"), {5}, 48000, 1);
  EXPECT_EQ(WavReader(file("a.wav")).frames(), 1U);
  const std::filesystem::directory_iterator files(folder_);
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
  const auto permissions = std::filesystem::status(file("a.wav")).permissions();
  EXPECT_EQ(permissions & std::filesystem::perms::owner_all,
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(Wav, ReadsTheSoundsOfAlsaUtils) {
  HOTSPARE_NEEDS_SOUND();
  WavReader reader(testing::sound());
  EXPECT_EQ(reader.sample_rate(), 48000);
  EXPECT_EQ(reader.channels(), 1U);
  std::vector<float> samples(reader.frames());
  EXPECT_EQ(reader.read(samples), reader.frames());
}

/// A header of 16 bits and two channels before so many bytes of sound.
void announce(const std::filesystem::path& path, std::uint32_t announced, std::size_t there,
              const std::string& before = "") {
  const auto number = [](std::uint32_t value, int bytes = 4) {
    std::string text;
    for (; bytes > 0; --bytes, value >>= 8) text += static_cast<char>(value & 0xff);
    return text;
  };
  const std::string format =
      number(1, 2) + number(2, 2) + number(48000) + number(192000) + number(4, 2) + number(16, 2);
  std::ofstream(path, std::ios::binary) << "RIFF" << number(announced + 36) << "WAVEfmt " << number(16) << format
                                        << before << "data" << number(announced) << std::string(there, 'x');
}

TEST_F(Wav, OneThatIsCutIsRefused) {
  for (const std::size_t there : {std::size_t{4}, std::size_t{1001}, std::size_t{47999}}) {
    announce(file("cut.wav"), 48000, there);
    EXPECT_THROW(WavReader(file("cut.wav")), Error) << there;
    announce(file("cut.wav"), 48000, there, std::string("LIST\3\0\0\0abc\0", 12));
    EXPECT_THROW(WavReader(file("cut.wav")), Error) << there;
  }
  announce(file("whole.wav"), 48000, 48000, std::string("LIST\3\0\0\0abc\0", 12));
  EXPECT_EQ(WavReader(file("whole.wav")).frames(), 12000U);
  announce(file("piped.wav"), 0xffffffff, 48000);
  EXPECT_EQ(WavReader(file("piped.wav")).frames(), 12000U);
}

TEST_F(Wav, ALinkIsFollowed) {
  std::filesystem::create_symlink("b.wav", file("a.wav"));
  std::filesystem::create_symlink(file("c.wav"), file("b.wav"));
  for (int i = 0; i < 2; ++i) {
    write(file("a.wav"), {1, 2, 3}, 48000, 1);
    EXPECT_TRUE(std::filesystem::is_symlink(file("a.wav")));
    EXPECT_TRUE(std::filesystem::is_symlink(file("b.wav")));
    EXPECT_EQ(WavReader(file("c.wav")).frames(), 3U);
  }
  std::filesystem::create_symlink("loop.wav", file("loop.wav"));
  EXPECT_THROW(WavWriter(file("loop.wav"), 48000, 1), Error);
}

TEST_F(Wav, RefusesInWords) {
  std::ofstream(file("text.wav")) << "These are not the bytes that you are looking for.";
  std::ofstream(file("empty.wav")).flush();
  write(file("silent.wav"), {}, 48000, 2);
  const std::pair<std::filesystem::path, const char*> table[] = {
      {file("nowhere.wav"), "no such file"},  {folder_, "is a folder"},
      {file("text.wav"), "is no sound"},      {file("empty.wav"), "is no sound"},
      {file("silent.wav"), "holds no sound"},
  };
  for (const auto& [path, says] : table) {
    try {
      WavReader reader(path);
      ADD_FAILURE() << path << " was taken";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(says), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(WavWriter(file("no/such/folder.wav"), 48000, 1), Error);
}

}  // namespace
}  // namespace hotspare::audio
