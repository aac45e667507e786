// The command itself, as a shell would run it.

#include "exit_status.hpp"
#include "run_command.hpp"

#include <hotspare/version.hpp>

#include <gtest/gtest.h>

#include <string>

namespace hotspare::cli {
namespace {

using testing::expect;

TEST(Command, TellsItsVersionAndHelps) {
  expect("--version", ExitStatus::good, "hotspare " HOTSPARE_VERSION "\n");
  for (const char* subcommand : {"render", "audio", "plugins", "shm"}) {
    expect("--help", ExitStatus::good, subcommand);
    expect(std::string(subcommand) + " --help", ExitStatus::good, std::string("hotspare ") + subcommand);
  }
}

TEST(Command, EndsWithTwoForAWrongCommandLine) {
  for (const char* wrong :
       {"", "nonsense", "render", "render in.wav", "render in.wav -o out.wav --nonsense",
        "render in.wav -o out.wav --frames 0", "render in.wav -o out.wav --frames x",
        "render in.wav -o out.wav --replicas 9", "audio --channels 0", "render in.wav -o out.wav --chaos kill-every=0",
        "audio --for 5", "audio --set gain=1", "shm", "shm nonsense", "shm ls --dry-run"})
    expect(wrong, ExitStatus::usage, "hotspare: ");
}

#ifndef HOTSPARE_AUDIO_BUILT
TEST(Command, SaysWhatToInstall) {
  expect("render in.wav -o out.wav", ExitStatus::not_built, "liblilv-dev");
  expect("plugins", ExitStatus::not_built, "liblilv-dev");
  expect("audio", ExitStatus::not_built, "libjack-jackd2-dev");
}
#endif

TEST(Command, OutputThatCannotBeWrittenIsAFailure) {
  for (const std::string what : {"shm ls", "shm gc --dry-run", "--help", "--version"}) {
    const testing::Ended ended = testing::run(what + " >/dev/full");
    EXPECT_EQ(ended.status, static_cast<int>(ExitStatus::failed)) << what;
  }
}

}  // namespace
}  // namespace hotspare::cli
