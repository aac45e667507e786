// The command itself, as a shell would run it.

#include "exit_status.hpp"

#include <hotspare/version.hpp>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <string>

namespace hotspare::cli {
namespace {

struct Ended {
  int status = -1;
  std::string output;  ///< stdout and stderr.
};

Ended run(const std::string& arguments) {
  Ended ended;
  FILE* pipe = popen((HOTSPARE_COMMAND " " + arguments + " 2>&1 </dev/null").c_str(), "r");
  if (pipe == nullptr) return ended;
  for (int c = 0; (c = std::fgetc(pipe)) != EOF;) ended.output += static_cast<char>(c);
  const int status = pclose(pipe);
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ended;
}

void expect(const std::string& arguments, ExitStatus status, const std::string& says) {
  const Ended ended = run(arguments);
  EXPECT_EQ(ended.status, static_cast<int>(status)) << arguments << '\n' << ended.output;
  EXPECT_NE(ended.output.find(says), std::string::npos) << arguments << '\n' << ended.output;
}

TEST(Command, TellsItsVersionAndHelps) {
  expect("--version", ExitStatus::good, "hotspare " HOTSPARE_VERSION "\n");
  for (const char* subcommand : {"render", "audio", "plugins"}) {
    expect("--help", ExitStatus::good, subcommand);
    expect(std::string(subcommand) + " --help", ExitStatus::good, std::string("hotspare ") + subcommand);
  }
}

TEST(Command, EndsWithTwoForAWrongCommandLine) {
  for (const char* wrong : {"", "nonsense", "render", "render in.wav", "render in.wav -o out.wav --nonsense",
                            "render in.wav -o out.wav --frames 0", "render in.wav -o out.wav --frames x",
                            "render in.wav -o out.wav --mode upside-down", "audio --channels 0",
                            "render in.wav -o out.wav --chaos kill-every=0", "audio --for 5", "audio --set gain=1"})
    expect(wrong, ExitStatus::usage, "hotspare: ");
}

#ifndef HOTSPARE_AUDIO_BUILT
TEST(Command, SaysWhatToInstall) {
  expect("render in.wav -o out.wav", ExitStatus::not_built, "liblilv-dev");
  expect("plugins", ExitStatus::not_built, "liblilv-dev");
  expect("audio", ExitStatus::not_built, "libjack-jackd2-dev");
}
#endif

}  // namespace
}  // namespace hotspare::cli
