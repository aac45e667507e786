// hotspare audio, as a shell would run it, behind a JACK server of the test's own.

#include "run_command.hpp"

#include <audio/test_support/installed.hpp>
#include <audio/test_support/jack_server.hpp>

#include <gtest/gtest.h>

namespace hotspare::cli {
namespace {

using testing::expect;

TEST(AudioCommand, RunsPluginsBehindJack) {
  HOTSPARE_NEEDS_PLUGIN(audio::testing::equalizer_stereo);
  const audio::testing::JackServer server(48000, 256);
  if (!server.started()) GTEST_SKIP() << server.why();
  const std::string common = "audio --server " + server.name() + " --for 300ms --connect --midi --plugin ";
  expect(common + audio::testing::equalizer_stereo, ExitStatus::good, "2 channels at 48000 Hz, 256 frames");
  expect(common + audio::testing::equalizer_stereo, ExitStatus::good, "deaths, 0 takeovers");
  expect(common + "urn:nobody", ExitStatus::failed, "no LV2 plug-in urn:nobody");
}

TEST(AudioCommand, SaysThatNoServerRuns) {
  expect("audio --server hotspare_nobody", ExitStatus::failed, "no JACK server \"hotspare_nobody\" runs here");
}

}  // namespace
}  // namespace hotspare::cli
