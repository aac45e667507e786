// What the chain makes of plug-ins of our own (test_support/rogue.lv2).

#include "chain_processor.hpp"
#include "test_support/blocks.hpp"

#include <hotspare/hotspare.hpp>

#include <gtest/gtest.h>
#include <support/sanitizer.hpp>  // without leaks: those found here were all of plug-ins already unloaded
#include <support/under_tsan.hpp>

namespace hotspare::audio {
namespace {

using namespace std::chrono_literals;

ChainSpec spec_of(const PluginSpec& plugin, std::uint32_t channels = 1) {
  return {.plugins = {plugin}, .channels = channels, .bundles = {"file://" HOTSPARE_TEST_PLUGINS "/rogue.lv2/"}};
}

std::vector<float> output_of(const ChainSpec& spec, unsigned blocks) {
  ChainProcessor processor(spec);
  return testing::run_blocks(processor, spec, blocks);
}

TEST(Rogue, WhatItsWorkerAnswersIsThereInTheNextBlock) {
  const ChainSpec spec = spec_of({.uri = "urn:hotspare:test:worker"});
  const std::vector<float> sound = output_of(spec, 5);
  for (std::size_t i = 0; i < sound.size(); ++i) {
    const std::size_t block = i / spec.frames;
    ASSERT_EQ(sound[i], static_cast<float>(block)) << i;
  }
}

TEST(Rogue, ThatDoesNothingLetsTheSoundThrough) {
  EXPECT_EQ(output_of(spec_of({.uri = "urn:hotspare:test:rogue"}, 2), 20), output_of({.channels = 2}, 20));
}

TEST(Rogue, ThatDoesNotWantToBeIsAnError) {
  EXPECT_THROW(output_of(spec_of({.uri = "urn:hotspare:test:never_made"}), 1), Error);
}

/// Spec and samples travel, and only the worker dies.
TEST(Rogue, DiesInAWorkerWhenTold) {
  // A pool that forks wants to be alone in its process, and ThreadSanitizer runs a thread of its own.
  if (hotspare::testing::under_tsan()) GTEST_SKIP() << "not under ThreadSanitizer";
  Pool pool({.workers = 1, .worker_stderr = Stderr::capture});
  const auto dies_of = [&](const char* uri, float deed) {
    PluginSpec plugin{.uri = uri};
    if (deed != 0) plugin.controls = {{"deed", deed}, {"block", 10}};
    TaskOptions limits;
    if (deed == 4) limits.timeout = 1s;
    const auto outcome = pool.submit(limits, output_of, spec_of(plugin), 20U).outcome();
    return outcome.report() ? std::string(name(outcome.report()->cause)) : "nothing";
  };
  EXPECT_EQ(dies_of("urn:hotspare:test:rogue", 0), "nothing");
  EXPECT_EQ(dies_of("urn:hotspare:test:rogue", 1), name(Cause::signal));
  EXPECT_EQ(dies_of("urn:hotspare:test:rogue", 2), name(Cause::signal));
  EXPECT_EQ(dies_of("urn:hotspare:test:rogue", 3), name(Cause::exited));
  EXPECT_EQ(dies_of("urn:hotspare:test:rogue", 4), name(Cause::deadline));
  EXPECT_EQ(dies_of("urn:hotspare:test:crash_when_made", 0), name(Cause::signal));
  EXPECT_EQ(dies_of("urn:hotspare:test:crash_when_run", 0), name(Cause::signal));
}

}  // namespace
}  // namespace hotspare::audio
