#include "chain_options.hpp"

#include "exit_status.hpp"

#include <gtest/gtest.h>

namespace hotspare::cli {
namespace {

std::vector<audio::PluginSpec> parse(std::vector<std::string> arguments) {
  CLI::App app;
  const ChainOptions chain(app);
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  app.parse(std::move(arguments));
  return chain.plugins();
}

TEST(ChainOptions, BelongToThePluginBefore) {
  const auto plugins = parse({"--plugin", "urn:a", "--set", "gain=-6", "--plugin=urn:b", "--preset", "Large Hall",
                              "--set=mix=0.5", "--set", "size=1e1", "--plugin", "urn:a"});
  const std::vector<audio::PluginSpec> expected{
      {.uri = "urn:a", .controls = {{"gain", -6}}},
      {.uri = "urn:b", .preset = "Large Hall", .controls = {{"mix", 0.5}, {"size", 10}}},
      {.uri = "urn:a"},
  };
  EXPECT_EQ(plugins, expected);
  EXPECT_TRUE(parse({}).empty());
}

TEST(ChainOptions, RefuseWhatBelongsToNoPluginOrIsNoNumber) {
  using Arguments = std::vector<std::string>;
  for (const Arguments& wrong :
       {Arguments{"--set", "a=1", "--plugin", "urn:a"}, Arguments{"--preset", "P"},
        Arguments{"--plugin", "urn:a", "--preset", "P", "--preset", "Q"},
        Arguments{"--plugin", "urn:a", "--set", "gain"}, Arguments{"--plugin", "urn:a", "--set", "gain="},
        Arguments{"--plugin", "urn:a", "--set", "=1"}, Arguments{"--plugin", "urn:a", "--set", "gain=1x"}})
    EXPECT_THROW(parse(wrong), UsageError) << wrong.front() << ' ' << wrong.back();
}

}  // namespace
}  // namespace hotspare::cli
