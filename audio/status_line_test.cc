#include "status_line.hpp"

#include <gtest/gtest.h>

namespace hotspare::audio {
namespace {

using namespace std::chrono_literals;

TEST(StatusLine, TellsEachFigure) {
  EXPECT_EQ(status_line({}), "0 blocks, 0 late, 0 xruns, 0 deaths, 0 takeovers, 0.000 ms a block, load 0 %");
  const Status status{
      .channel = {.blocks = 4711, .late = 2, .deaths = 1, .takeovers = 1, .latency = 83us}, .xruns = 1, .load = 12.4};
  EXPECT_EQ(status_line(status), "4711 blocks, 2 late, 1 xrun, 1 death, 1 takeover, 0.083 ms a block, load 12 %");
  EXPECT_EQ(status_line({.channel = {.bypassed = 2}}),
            "0 blocks, 0 late, 0 xruns, 0 deaths, 0 takeovers, 0.000 ms a block, load 0 %, 2 BYPASSED");
}

}  // namespace
}  // namespace hotspare::audio
