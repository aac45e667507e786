// hotspare render and hotspare plugins, as a shell would run them.

#include "run_command.hpp"

#include <audio/test_support/installed.hpp>
#include <audio/wav.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace hotspare::cli {
namespace {

using testing::expect;

class RenderCommand : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string output() const { return (folder_ / "out.wav").string(); }

  std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / ("hotspare_command_" + std::to_string(getpid()));
};

TEST_F(RenderCommand, WritesWhatComesOut) {
  HOTSPARE_NEEDS_SOUND();
  HOTSPARE_NEEDS_PLUGIN(audio::testing::reverb);
  const std::string sound = audio::testing::sound();
  expect("render " + sound + " --plugin " + audio::testing::reverb + " --set mix=0.5 --tail 500ms --frames 64 -o " +
             output(),
         ExitStatus::good, "blocks of 64 frames");
  EXPECT_EQ(audio::WavReader(output()).frames(), audio::WavReader(sound).frames() + 24000);
}

TEST_F(RenderCommand, SaysWhatIsWrong) {
  HOTSPARE_NEEDS_SOUND();
  const std::string sound = audio::testing::sound();
  expect("render /no/such.wav -o " + output(), ExitStatus::failed, "no such file");
  expect("render " + sound + " --plugin urn:nobody -o " + output(), ExitStatus::failed, "no LV2 plug-in urn:nobody");
  expect("render " + sound + " -o /no/such/folder/out.wav", ExitStatus::failed, "cannot be written");
  EXPECT_FALSE(std::filesystem::exists(output()));
}

TEST_F(RenderCommand, StandardOutputIsCalledDash) {
  HOTSPARE_NEEDS_SOUND();
  const std::string sound = audio::testing::sound();
  const std::string folder = "cd " + folder_.string() + " && ";
  expect("render " + sound + " -o " + output(), ExitStatus::good, "s of sound");
  for (const std::string to : {"2>/dev/null >dash.wav"}) {
    EXPECT_EQ(std::system(
                  (folder + testing::sanitizer_options + HOTSPARE_COMMAND " render " + sound + " -o - " + to).c_str()),
              0);
    EXPECT_FALSE(std::filesystem::exists(folder_ / "-"));
    EXPECT_EQ(audio::WavReader((folder_ / "dash.wav").string()).frames(), audio::WavReader(output()).frames()) << to;
  }
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Struck again and again, in many ways, and the sound is that of an undisturbed run, to the sample.
TEST_F(RenderCommand, ReplicasDieAndNobodyHears) {
  HOTSPARE_NEEDS_SOUND();
  HOTSPARE_NEEDS_PLUGIN(audio::testing::equalizer_mono);
  const std::string what = "render " + std::string(audio::testing::sound()) + " --plugin " +
                           audio::testing::equalizer_mono + " --tail 20s -o " + output();
  expect(what, ExitStatus::good, "s of sound");
  const std::string undisturbed = bytes_of(output());
  expect(what + " --replicas 2", ExitStatus::good, "s of sound");
  EXPECT_TRUE(bytes_of(output()) == undisturbed);
  for (const std::string spare : {" --spare", " --no-spare"}) {
    expect(what + " --replicas 2 --chaos 'kill-every=10ms,ways=sigkill,segv,abort,exit,stack;seed=3'" + spare,
           ExitStatus::good, "strikes");
    EXPECT_TRUE(bytes_of(output()) == undisturbed) << spare;
  }
}

/// Each plug-in in replicas of its own: it sounds the same, also while all of them are struck.
TEST_F(RenderCommand, SeparatePluginsSoundAsOneChain) {
  HOTSPARE_NEEDS_SOUND();
  HOTSPARE_NEEDS_PLUGIN(audio::testing::equalizer_mono);
  const std::string equalizer = std::string(" --plugin ") + audio::testing::equalizer_mono;
  const std::string what = "render " + std::string(audio::testing::sound()) + equalizer + equalizer +
                           " --set gain=-6 --tail 10s -o " + output();
  expect(what, ExitStatus::good, "s of sound");
  const std::string undisturbed = bytes_of(output());
  expect(what + " --replicas 2 --separate", ExitStatus::good, "s of sound");
  EXPECT_TRUE(bytes_of(output()) == undisturbed);
  expect(what + " --replicas 2 --separate --chaos 'kill-every=10ms,ways=sigkill,segv;seed=3'", ExitStatus::good,
         "strikes");
  EXPECT_TRUE(bytes_of(output()) == undisturbed);
}

/// Strikes are deaths as well: after so many of them the sound passes by.
TEST_F(RenderCommand, WhatCrashesAgainAndAgainIsBypassedWithAMessage) {
  HOTSPARE_NEEDS_SOUND();
  HOTSPARE_NEEDS_PLUGIN(audio::testing::equalizer_mono);
  const testing::Ended ended =
      testing::run("render " + std::string(audio::testing::sound()) + " --plugin " + audio::testing::equalizer_mono +
                   " --tail 300s --replicas 2 --bypass-after 3 --chaos kill-every=10ms -o " + output());
  EXPECT_EQ(ended.status, 0) << ended.output;
  EXPECT_NE(ended.output.find("BYPASSED from now on: standby channel \"" + std::string(audio::testing::equalizer_mono)),
            std::string::npos)
      << ended.output;
  EXPECT_NE(ended.output.find("blocks went without a plug-in"), std::string::npos) << ended.output;
}

TEST_F(RenderCommand, SeparateNeedsReplicas) {
  HOTSPARE_NEEDS_SOUND();
  const std::string what = "render " + std::string(audio::testing::sound()) + " -o " + output();
  expect(what + " --separate", ExitStatus::usage, "need --replicas");
  expect(what + " --spare", ExitStatus::usage, "need --replicas");
  expect(what + " --bypass-after 3", ExitStatus::usage, "need --replicas");
}

TEST_F(RenderCommand, ChaosNeedsSomebodyWhoGoesOn) {
  HOTSPARE_NEEDS_SOUND();
  expect("render " + std::string(audio::testing::sound()) + " --chaos kill-every=50ms -o " + output(),
         ExitStatus::usage, "--chaos needs --replicas 2");
}

TEST_F(RenderCommand, PluginsAreListed) {
  HOTSPARE_NEEDS_PLUGIN(audio::testing::piano);
  expect("plugins mda/Pia", ExitStatus::good, "0>2 MIDI   MDA Piano");
  expect("plugins urn:nobody", ExitStatus::good, "no LV2 plug-in is installed whose URI holds urn:nobody");
}

}  // namespace
}  // namespace hotspare::cli
