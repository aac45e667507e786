#include <hotspare/chaos.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace hotspare::chaos {
namespace {

TEST(ChaosText, IsRead) {
  EXPECT_EQ(Chaos::from_text(""), Chaos{});
  EXPECT_EQ(Chaos::from_text("seed=7,rate=0.02,how=sigkill+hang"),
            (Chaos{.seed = 7, .rate = 0.02, .how = {How::sigkill, How::hang}}));
  EXPECT_EQ(Chaos::from_text("bytes=1,attempts=0,every=50"), (Chaos{.every = 50, .attempts = 0, .bytes = 1}));
  EXPECT_EQ(Chaos::from_text("rate=1e-3"), Chaos{.rate = 0.001});
  EXPECT_EQ(Chaos::from_text("seed=18446744073709551615").seed, ~std::uint64_t{0});
}

TEST(ChaosText, EachWayHasAName) {
  for (unsigned way = 0; way < ways; ++way) {
    const auto how = static_cast<How>(way);
    EXPECT_EQ(Chaos::from_text("how=" + std::string(name(how))).how, Hows(how));
  }
}

TEST(ChaosText, IsReadBack) {
  for (const Chaos& chaos : {Chaos{}, Chaos{.seed = 3, .rate = 0.1, .every = 4, .how = {How::stop, How::leak}},
                             Chaos{.rate = 1e-9, .attempts = 0, .bytes = 5}})
    EXPECT_EQ(Chaos::from_text(chaos.text()), chaos) << chaos.text();
}

struct Wrong {
  const char* text;
  const char* message;
};
class ChaosTextRefuses : public ::testing::TestWithParam<Wrong> {};

TEST_P(ChaosTextRefuses, AndSaysWhatAndWhere) {
  try {
    Chaos::from_text(GetParam().text);
    ADD_FAILURE() << GetParam().text << " was taken";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr('"' + std::string(GetParam().text) + '"'));
    EXPECT_THAT(error.what(), ::testing::HasSubstr(GetParam().message));
  }
}

INSTANTIATE_TEST_SUITE_P(
    , ChaosTextRefuses,
    ::testing::Values(
        Wrong{"seed=7,rte=0.02", "at character 8: \"rte\" is none of seed, rate, every, how, attempts, bytes"},
        Wrong{"rate=2", "at character 6: \"2\" is no rate: that is a number from 0 to 1"},
        Wrong{"rate=nan", "at character 6: \"nan\" is no rate"}, Wrong{"rate=0.1x", "\"0.1x\" is no rate"},
        Wrong{"rate=", "at character 6: \"\" is no rate"},
        Wrong{"seed=-1", "at character 6: \"-1\" is no seed: that is a whole number from 0 to 18446744073709551615"},
        Wrong{"attempts=5000000000", "is no attempts: that is a whole number from 0 to 4294967295"},
        Wrong{"how=hang+sigkil", "at character 10: \"sigkil\" is no way to strike: those are sigkill, sigsegv, abort"},
        Wrong{"how=", "at character 5: \"\" is no way to strike"},
        Wrong{"how=hang+", "at character 10: \"\" is no way to strike"},
        Wrong{"seed", "at character 1: \"seed\" has no value"},
        Wrong{"seed=1,seed=2",
              "at character 8: \"seed\" is "
              "given twice"},
        Wrong{"seed=1,", "at character 8: \"\" is none of"}, Wrong{"every=1, seed=2", "\" seed\" is none of"}));

TEST(ChaosText, ComesFromTheEnvironment) {
  constexpr const char* variable = "HOTSPARE_CHAOS_TEST";
  ::unsetenv(variable);
  EXPECT_EQ(Chaos::from_environment(variable), Chaos{});
  ::setenv(variable, "every=3,how=raise", 1);
  EXPECT_EQ(Chaos::from_environment(variable), (Chaos{.every = 3, .how = How::raise}));
  ::setenv(variable, "every=x", 1);
  try {
    Chaos::from_environment(variable);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::StartsWith("HOTSPARE_CHAOS_TEST: "));
  }
  ::unsetenv(variable);
}

}  // namespace
}  // namespace hotspare::chaos
