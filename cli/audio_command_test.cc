// hotspare audio, as a shell would run it, behind a JACK server of the test's own.

#include "run_command.hpp"

#include <audio/test_support/installed.hpp>
#include <audio/test_support/jack_server.hpp>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdio>
#include <string>

namespace hotspare::cli {
namespace {

using testing::expect;

TEST(AudioCommand, RunsPluginsBehindJack) {
  HOTSPARE_NEEDS_PLUGIN(audio::testing::equalizer_stereo);
  const audio::testing::JackServer server(48000, 256);
  if (!server.started()) GTEST_SKIP() << server.why();
  const std::string common = "audio --server " + server.name() + " --for 300ms --connect --midi --plugin ";
  expect(common + audio::testing::equalizer_stereo, ExitStatus::good, "2 channels at 48000 Hz, 256 frames");
  expect(common + audio::testing::equalizer_stereo, ExitStatus::good, " deaths, ");
  expect(common + "urn:nobody", ExitStatus::failed, "no LV2 plug-in urn:nobody");
}

/// Runs the command, has the server freeze when it plays, and sends that signal then; 0: none.
testing::Ended run_and_freeze(const std::string& arguments, audio::testing::JackServer& server, int signal) {
  testing::Ended ended;
  const std::string command = "echo $$; exec env " + std::string(testing::sanitizer_options) + HOTSPARE_COMMAND " " +
                              arguments + " 2>&1 </dev/null";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return ended;
  bool frozen = false;
  for (int c = 0; (c = std::fgetc(pipe)) != EOF;) {
    ended.output += static_cast<char>(c);
    if (frozen || ended.output.find("a block") == std::string::npos) continue;
    server.freeze();
    frozen = true;
    if (signal != 0) kill(std::stoi(ended.output), signal);
  }
  const int status = pclose(pipe);
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ended;
}

TEST(AudioCommand, EndsInTimeThoughTheServerDoesNotAnswer) {
  for (const bool by_signal : {false, true}) {
    audio::testing::JackServer server(48000, 256);
    if (!server.started()) GTEST_SKIP() << server.why();
    const std::string how = by_signal ? " --for 1h" : " --for 1s";
    const testing::Ended ended =
        run_and_freeze("audio --server " + server.name() + how, server, by_signal ? SIGTERM : 0);
    // The server may have frozen when all was over.
    const bool told = ended.output.find("does not answer") != std::string::npos;
    EXPECT_TRUE(told || !by_signal) << ended.output;
    EXPECT_EQ(ended.status, static_cast<int>(told ? ExitStatus::failed : ExitStatus::good)) << ended.output;
  }
}

TEST(AudioCommand, EndsInTimeThoughTheServerNeverAnswered) {
  audio::testing::JackServer server(48000, 256);
  if (!server.started()) GTEST_SKIP() << server.why();
  server.freeze();
  expect("audio --for 1s --server " + server.name(), ExitStatus::failed, "does not answer");
}

TEST(AudioCommand, SaysThatNoServerRuns) {
  expect("audio --server hotspare_nobody", ExitStatus::failed, "no JACK server \"hotspare_nobody\" runs here");
}

}  // namespace
}  // namespace hotspare::cli
