#include "serial_processor.hpp"

#include "replicated_processor.hpp"

#include <hotspare/hotspare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace hotspare::audio {
namespace {

using namespace std::chrono_literals;

/// Gives back what goes in, and some more; or is late.
class Adds final : public BlockProcessor {
 public:
  Adds(float more, std::vector<Deadline>& deadlines) : more_(more), deadlines_(deadlines) {}
  bool process(std::span<const std::byte> in, std::span<std::byte> out, Deadline deadline) override {
    deadlines_.push_back(deadline);
    const auto* from = reinterpret_cast<const float*>(in.data());
    auto* to = reinterpret_cast<float*>(out.data());
    for (std::size_t i = 0; i < out.size() / sizeof(float); ++i) to[i] = from[i] + more_;
    return more_ < 100;
  }
  ChannelFigures figures() const override { return {.blocks = 99, .deaths = 2, .takeovers = 1, .latency = 3us}; }

 private:
  float more_;
  std::vector<Deadline>& deadlines_;
};

class Serial : public ::testing::Test {
 protected:
  SerialProcessor make(std::vector<float> more, std::uint32_t midi_bytes = 0) {
    ChainSpec spec{.frames = 4, .channels = 1, .midi_bytes = midi_bytes};
    for (std::size_t i = 0; i < more.size(); ++i) spec.plugins.push_back({.uri = std::to_string(i)});
    return SerialProcessor(spec, [&](const ChainSpec& one) {
      EXPECT_EQ(one.plugins.size(), 1U);
      return std::make_unique<Adds>(more[static_cast<std::size_t>(std::stoi(one.plugins[0].uri))], deadlines_);
    });
  }
  bool run(SerialProcessor& serial, BlockProcessor::Deadline deadline = BlockProcessor::Deadline::max()) {
    std::ranges::fill(in_, 1.0F);
    return serial.process(std::as_bytes(std::span(in_)), std::as_writable_bytes(std::span(out_)), deadline);
  }
  std::vector<BlockProcessor::Deadline> deadlines_;
  std::array<float, 4> in_{};
  std::array<float, 4> out_{};
};

TEST_F(Serial, OneAfterTheOther) {
  SerialProcessor serial = make({1, 10, 20});
  EXPECT_TRUE(run(serial));
  EXPECT_EQ(out_, (std::array<float, 4>{32, 32, 32, 32}));
  EXPECT_EQ(deadlines_, std::vector(3, BlockProcessor::Deadline::max()));
  EXPECT_EQ(serial.figures().blocks, 1U);
  EXPECT_EQ(serial.figures().deaths, 6U);
  EXPECT_EQ(serial.figures().latency, 9us);
}

TEST_F(Serial, NoneLetsTheSoundThrough) {
  SerialProcessor serial = make({});
  EXPECT_TRUE(run(serial));
  EXPECT_EQ(out_, in_);
}

TEST_F(Serial, OneThatIsLateMakesTheBlockLateAndTheOthersWork) {
  SerialProcessor serial = make({1, 100, 10});
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  EXPECT_FALSE(run(serial, deadline));
  EXPECT_EQ(out_[0], 112);
  EXPECT_EQ(serial.figures().late, 1U);
  ASSERT_EQ(deadlines_.size(), 3U);
  EXPECT_LT(deadlines_[0], deadline - 15s) << "a third of the time each";
  EXPECT_LT(deadlines_[1], deadline - 10s);
  EXPECT_LE(deadlines_[2], deadline);
}

/// Crashes in its block 10, as often as it is made. The one behind it counts blocks, and does not miss one.
TEST(SerialReplicas, WhatCrashesAgainAndAgainIsBypassedAndTheOthersAreNotDisturbed) {
  const ChainSpec spec{.plugins = {{.uri = "urn:hotspare:test:rogue", .controls = {{"deed", 1}, {"block", 10}}},
                                   {.uri = "urn:hotspare:test:worker"}},
                       .frames = 16,
                       .channels = 1,
                       .bundles = {"file://" HOTSPARE_TEST_PLUGINS "/rogue.lv2/"}};
  StandbyOptions options;
  options.when_late = WhenLate::bypass;
  options.most_deaths = 6;
  options.start = Start::exec;  // the second channel finds the threads of the first
  options.replica_stderr = Stderr::capture;
  SerialProcessor serial(spec,
                         [&](const ChainSpec& one) { return std::make_unique<ReplicatedProcessor>(one, options); });
  AlignedArray<float> in(16);
  AlignedArray<float> out(16);
  for (int block = 0; block < 200; ++block) {
    serial.process(std::as_bytes(std::span(in.data(), in.size())),
                   std::as_writable_bytes(std::span(out.data(), out.size())), BlockProcessor::Deadline::max());
    ASSERT_EQ(out.data()[0], static_cast<float>(block));
  }
  const ChannelFigures figures = serial.figures();
  EXPECT_EQ(figures.bypassed, 1U);
  EXPECT_GE(figures.deaths, 6U);
}

}  // namespace
}  // namespace hotspare::audio
