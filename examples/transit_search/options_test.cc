#include "options.hpp"

#include <gtest/gtest.h>

namespace transit {
namespace {

TEST(Options, AreReadInBothWritings) {
  const Options options = parse_options({"--workers", "3", "--min-period=1.5", "--start=exec", "a.fits", "b"});
  EXPECT_EQ(options.workers, 3U);
  EXPECT_EQ(options.grid.min_period, 1.5);
  EXPECT_TRUE(options.exec);
  EXPECT_EQ(options.inputs, (std::vector<std::string>{"a.fits", "b"}));
}

TEST(Options, Flags) {
  EXPECT_EQ(parse_options({"--no-sabotage"}).kills, 0U);
  EXPECT_FALSE(parse_options({"--no-serial-check"}).serial_check);
  EXPECT_TRUE(parse_options({"--serial"}).serial_only);
  EXPECT_TRUE(parse_options({"--help"}).help);
}

TEST(Options, OfAJournal) {
  const Options options = parse_options({"--journal=j", "--resume", "--log", "l", "--chaos", "every=8,how=hang"});
  EXPECT_EQ(options.journal, "j");
  EXPECT_TRUE(options.resume);
  EXPECT_EQ(options.log, "l");
  EXPECT_EQ(options.chaos, "every=8,how=hang");
  for (const auto& wrong : std::vector<std::vector<std::string>>{
           {"--resume"}, {"--log=l"}, {"--journal"}, {"--journal="}, {"--journal=j", "--serial"}, {"--chaos"}})
    EXPECT_THROW(parse_options(wrong), UsageError) << wrong.front();
}

TEST(Options, RefusesNonsense) {
  for (const char* wrong : {"--nonsense", "--workers", "--workers=x", "--workers=-1", "--start=spawn", "--seed=1x",
                            "--max-period=0", "--max-period=nan", "--"})
    EXPECT_THROW(parse_options({wrong}), UsageError) << wrong;
}

}  // namespace
}  // namespace transit
