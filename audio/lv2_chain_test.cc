#include "lv2_chain.hpp"

#include "chain_processor.hpp"
#include "lv2_state.hpp"
#include "resolve.hpp"
#include "test_support/blocks.hpp"
#include "test_support/installed.hpp"

#include <hotspare/error.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace hotspare::audio {
namespace {

using testing::run_blocks;

bool is_silent(const std::vector<float>& sound) {
  return std::all_of(sound.begin(), sound.end(), [](float sample) { return sample == 0; });
}

std::vector<float> output_of(const ChainSpec& spec, unsigned blocks = 200) {
  ChainProcessor processor(spec);
  return run_blocks(processor, spec, blocks);
}

TEST(Lv2Chain, WithoutPluginsLetsTheSoundThrough) {
  const ChainSpec spec{.frames = 64, .channels = 3};
  Lv2Chain chain(spec);
  testing::MadeUpBlocks blocks(spec);
  AlignedArray<std::byte> out(BlockLayout(spec).out_bytes());
  for (int i = 0; i < 3; ++i) {
    const auto in = blocks.next();
    chain.process(in, out);
    EXPECT_TRUE(std::equal(in.begin(), in.end(), out.begin()));
  }
}

TEST(Lv2Chain, TwoOfTheSameSpecAreEqualBitForBit) {
  HOTSPARE_NEEDS_PLUGIN(testing::equalizer_stereo);
  HOTSPARE_NEEDS_PLUGIN(testing::reverb);
  const ChainSpec spec{
      .plugins = {{.uri = testing::equalizer_stereo}, {.uri = testing::reverb, .controls = {{"mix", 0.5}}}}};
  const std::vector<float> one = output_of(spec);
  EXPECT_FALSE(is_silent(one));
  EXPECT_EQ(one, output_of(spec));
  EXPECT_EQ(one, output_of(resolve(spec, Lv2World()))) << "a resolved spec builds the same chain";
}

TEST(Lv2Chain, ControlsAreHeard) {
  HOTSPARE_NEEDS_PLUGIN(testing::reverb);
  const ChainSpec dry{.plugins = {{.uri = testing::reverb, .controls = {{"mix", 0}}}}};
  const ChainSpec wet{.plugins = {{.uri = testing::reverb, .controls = {{"mix", 1}}}}};
  EXPECT_NE(output_of(dry), output_of(wet));
}

TEST(Lv2Chain, AMonoPluginStandsInEachChannel) {
  HOTSPARE_NEEDS_PLUGIN(testing::equalizer_mono);
  const PluginSpec plugin{.uri = testing::equalizer_mono, .controls = {{"gain", -6}}};
  const ChainSpec stereo{.plugins = {plugin}, .channels = 2};
  const ChainSpec mono{.plugins = {plugin}, .channels = 1};
  // Both channels of a stereo chain, fed the same, sound as a mono chain does.
  Lv2Chain two(stereo);
  Lv2Chain one(mono);
  testing::MadeUpBlocks blocks(mono);
  const BlockLayout layout(stereo);
  AlignedArray<std::byte> in(layout.in_bytes()), out(layout.out_bytes()), expected(BlockLayout(mono).out_bytes());
  for (int i = 0; i < 50; ++i) {
    const auto block = blocks.next();
    std::copy(block.begin(), block.end(), in.begin());
    std::copy(block.begin(), block.end(), in.begin() + static_cast<std::ptrdiff_t>(block.size()));
    two.process(in, out);
    one.process(block, expected);
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), out.begin())) << i;
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), out.begin() + static_cast<std::ptrdiff_t>(block.size())))
        << i;
  }
}

TEST(Lv2Chain, PlaysWhatMidiTellsIt) {
  HOTSPARE_NEEDS_PLUGIN(testing::piano);
  const ChainSpec silent{.plugins = {{.uri = testing::piano}}};
  ChainSpec played = silent;
  played.midi_bytes = 256;
  EXPECT_TRUE(is_silent(output_of(silent)));
  const std::vector<float> sound = output_of(played);
  EXPECT_FALSE(is_silent(sound));
  EXPECT_EQ(sound, output_of(played));
  EXPECT_TRUE(takes_midi(silent, Lv2World()));
  EXPECT_FALSE(takes_midi({}, Lv2World()));
}

TEST(Lv2Chain, MidiGoesThroughAFilterToTheNextPlugin) {
  HOTSPARE_NEEDS_PLUGIN(testing::piano);
  HOTSPARE_NEEDS_PLUGIN(testing::transposer);
  const ChainSpec plain{.plugins = {{.uri = testing::piano}}, .midi_bytes = 256};
  const ChainSpec higher{
      .plugins = {{.uri = testing::transposer, .controls = {{"transpose", 12}}}, {.uri = testing::piano}},
      .midi_bytes = 256};
  const ChainSpec same{
      .plugins = {{.uri = testing::transposer, .controls = {{"transpose", 0}}}, {.uri = testing::piano}},
      .midi_bytes = 256};
  EXPECT_EQ(output_of(plain), output_of(same));
  EXPECT_NE(output_of(plain), output_of(higher));
  EXPECT_FALSE(is_silent(output_of(higher)));
}

TEST(Lv2Chain, StateIsSavedAndRestored) {
  HOTSPARE_NEEDS_PLUGIN(testing::reverb);
  const ChainSpec wet{.plugins = {{.uri = testing::reverb, .controls = {{"mix", 1}, {"size", 0.25}}}}};
  const std::string state = Lv2Chain(wet).state(0);
  EXPECT_NE(state.find("0.25"), std::string::npos) << state;
  const ChainSpec restored{.plugins = {{.uri = testing::reverb, .state = state}}};
  EXPECT_EQ(output_of(restored), output_of(wet));
  EXPECT_THROW(Lv2Chain({.plugins = {{.uri = testing::reverb, .state = "nonsense"}}}), Error);
}

TEST(Lv2Chain, PresetsGoByLabelAndByUri) {
  HOTSPARE_NEEDS_PLUGIN(testing::piano);
  const Lv2World world;
  const std::vector<Preset> presets = presets_of(world, world.get(testing::piano));
  ASSERT_GE(presets.size(), 2U);
  const auto with = [&](const std::string& preset) {
    return ChainSpec{.plugins = {{.uri = testing::piano, .preset = preset}}, .midi_bytes = 256};
  };
  const std::vector<float> first = output_of(with(presets[0].label));
  EXPECT_EQ(first, output_of(with(presets[0].uri)));
  EXPECT_EQ(first, output_of(resolve(with(presets[0].label), world)));
  EXPECT_NE(first, output_of(with(presets[1].label)));
}

/// The convolver loads the preset's impulse response by work:schedule; here it is a single one, so that what goes in comes out.
TEST(Lv2Chain, WorkIsDoneWithinTheBlock) {
  HOTSPARE_NEEDS_PLUGIN(testing::convolver);
  const ChainSpec spec{.plugins = {{.uri = testing::convolver, .preset = "No-OP Mono"}}, .channels = 1};
  const std::vector<float> one = output_of(spec);
  EXPECT_FALSE(is_silent(one));
  EXPECT_EQ(one, output_of(spec));
}

TEST(Lv2Chain, TakesBlocksOfAnyLength) {
  HOTSPARE_NEEDS_PLUGIN(testing::equalizer_stereo);
  for (const std::uint32_t frames : {1U, 17U, 128U, 4096U}) {
    const ChainSpec spec{.plugins = {{.uri = testing::equalizer_stereo}}, .frames = frames};
    EXPECT_FALSE(is_silent(output_of(spec, 20))) << frames;
  }
}

}  // namespace
}  // namespace hotspare::audio
