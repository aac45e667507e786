#include "render.hpp"

#include "direct_processor.hpp"
#include "resolve.hpp"
#include "test_support/installed.hpp"

#include <hotspare/error.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

namespace hotspare::audio {
namespace {

class Render : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string run(const std::filesystem::path& in, const std::vector<PluginSpec>& plugins, std::uint64_t tail = 0) {
    WavReader input(in);
    const ChainSpec spec =
        resolve({.plugins = plugins, .sample_rate = input.sample_rate(), .channels = input.channels()}, Lv2World());
    DirectProcessor processor(spec);
    WavWriter output(folder_ / "out.wav", input.sample_rate(), input.channels());
    rendered_ = render(input, tail, processor, BlockLayout(spec), output);
    output.finish();
    EXPECT_EQ(processor.figures().blocks, rendered_.blocks);
    EXPECT_EQ(rendered_.block_times.size(), rendered_.blocks);
    std::ifstream file(folder_ / "out.wav", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::vector<float>& samples, std::uint32_t channels) const {
    WavWriter writer(folder_ / "in.wav", 44100, channels);
    writer.write(samples);
    writer.finish();
  }

  std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / ("hotspare_render_" + std::to_string(getpid()));
  Rendered rendered_;
};

TEST_F(Render, IsDeterministic) {
  HOTSPARE_NEEDS_SOUND();
  HOTSPARE_NEEDS_PLUGIN(testing::equalizer_mono);
  HOTSPARE_NEEDS_PLUGIN(testing::reverb);
  const std::vector<PluginSpec> plugins{{.uri = testing::equalizer_mono}, {.uri = testing::reverb}};
  for (const char* name : {"Front_Center.wav", "Noise.wav"}) {
    const std::string one = run(testing::sound(name), plugins, 48000);
    EXPECT_EQ(one, run(testing::sound(name), plugins, 48000)) << name;
    EXPECT_NE(one, run(testing::sound(name), {}, 48000)) << name;
  }
}

TEST_F(Render, GivesAsManyFramesAsWentInAndTheTail) {
  std::vector<float> samples;
  for (int i = 0; i < 2 * 300; ++i) samples.push_back(static_cast<float>(i) / 600);
  write(samples, 2);
  for (const std::uint64_t tail : {0U, 1U, 84U, 85U, 1000U}) {
    run(folder_ / "in.wav", {}, tail);
    EXPECT_EQ(rendered_.frames, 300 + tail);
    EXPECT_EQ(rendered_.blocks, (300 + tail + 127) / 128);
    WavReader reader(folder_ / "out.wav");
    EXPECT_EQ(reader.sample_rate(), 44100);
    std::vector<float> read(2 * (300 + tail));
    EXPECT_EQ(reader.read(read), 300 + tail);
    std::vector<float> expected = samples;
    expected.resize(read.size());
    EXPECT_EQ(read, expected) << tail;
  }
}

TEST_F(Render, RefusesAChainOfOtherChannels) {
  write({0, 0, 0, 0}, 2);
  WavReader input(folder_ / "in.wav");
  const ChainSpec spec{.channels = 1};
  DirectProcessor processor(spec);
  WavWriter output(folder_ / "out.wav", 44100, 2);
  EXPECT_THROW(render(input, 0, processor, BlockLayout(spec), output), Error);
}

}  // namespace
}  // namespace hotspare::audio
