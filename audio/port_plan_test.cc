#include "port_plan.hpp"

#include <gtest/gtest.h>

namespace hotspare::audio {
namespace {

using Kind = Source::Kind;
constexpr Source silence{Kind::silence}, through{Kind::through}, mean{Kind::mean};
constexpr Source one(unsigned which) { return {Kind::one, which}; }

struct Row {
  const char* what;
  unsigned inputs, outputs, channels;
  PortPlan plan;
};

TEST(PortPlan, Table) {
  const Row table[] = {
      {"mono in mono", 1, 1, 1, {1, {one(0)}, {one(0)}}},
      {"mono in stereo", 1, 1, 2, {2, {one(0)}, {one(0), one(0)}}},
      {"stereo in stereo", 2, 2, 2, {1, {one(0), one(1)}, {one(0), one(1)}}},
      {"stereo in mono", 2, 2, 1, {1, {one(0), one(0)}, {mean}}},
      {"mono to stereo in stereo", 1, 2, 2, {1, {mean}, {one(0), one(1)}}},
      {"mono to stereo in mono", 1, 2, 1, {1, {one(0)}, {mean}}},
      {"stereo to mono in stereo", 2, 1, 2, {1, {one(0), one(1)}, {one(0), one(0)}}},
      {"meter", 2, 0, 2, {1, {one(0), one(1)}, {through, through}}},
      {"nothing but MIDI", 0, 0, 2, {1, {}, {through, through}}},
      {"instrument, mono", 0, 1, 2, {1, {}, {one(0), one(0)}}},
      {"instrument, stereo", 0, 2, 2, {1, {}, {one(0), one(1)}}},
      {"four in stereo", 4, 4, 2, {1, {one(0), one(1), silence, silence}, {one(0), one(1)}}},
      {"four in mono", 4, 4, 1, {1, {one(0), one(0), silence, silence}, {mean}}},
      {"stereo in four", 2, 2, 4, {1, {one(0), one(1)}, {one(0), one(1), through, through}}},
  };
  for (const Row& row : table) EXPECT_EQ(plan_ports(row.inputs, row.outputs, row.channels), row.plan) << row.what;
}

}  // namespace
}  // namespace hotspare::audio
