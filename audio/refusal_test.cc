#include "refusal.hpp"

#include "lv2_chain.hpp"
#include "resolve.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace hotspare::audio {
namespace {

/// A plug-in that is only described: nobody would get so far as to load its library.
constexpr const char* description = R"(
@prefix lv2: <http://lv2plug.in/ns/lv2core#> .
@prefix opts: <http://lv2plug.in/ns/ext/options#> .
@prefix bufsz: <http://lv2plug.in/ns/ext/buf-size#> .
@prefix doap: <http://usefulinc.com/ns/doap#> .
<urn:test:demanding> a lv2:Plugin ; doap:name "Demanding" ; lv2:binary <none.so> ;
  lv2:requiredFeature <urn:test:moon>, <urn:test:stars>, lv2:inPlaceBroken, bufsz:powerOf2BlockLength ;
  opts:requiredOption <urn:test:colour>, bufsz:maxBlockLength ;
  lv2:port [ a lv2:InputPort, <urn:test:SmellPort> ; lv2:index 0 ; lv2:symbol "smell" ; lv2:name "Smell" ],
           [ a lv2:OutputPort, <urn:test:SmellPort> ; lv2:index 1 ; lv2:symbol "aroma" ; lv2:name "Aroma" ;
             lv2:portProperty lv2:connectionOptional ] .
<urn:test:modest> a lv2:Plugin ; doap:name "Modest" ; lv2:binary <none.so> ;
  lv2:port [ a lv2:InputPort, lv2:ControlPort ; lv2:index 0 ; lv2:symbol "gain" ; lv2:name "Gain" ;
             lv2:default 0.0 ; lv2:minimum -24.0 ; lv2:maximum 24.0 ],
           [ a lv2:InputPort, lv2:ControlPort ; lv2:index 1 ; lv2:symbol "cut" ; lv2:name "Cut" ;
             lv2:portProperty lv2:sampleRate ; lv2:default 0.25 ; lv2:minimum 0.0 ; lv2:maximum 0.5 ],
           [ a lv2:InputPort, lv2:AudioPort ; lv2:index 2 ; lv2:symbol "in" ; lv2:name "In" ],
           [ a lv2:InputPort, lv2:AudioPort ; lv2:index 3 ; lv2:symbol "side" ; lv2:name "Side" ;
             lv2:portProperty lv2:isSideChain ],
           [ a lv2:OutputPort, lv2:AudioPort ; lv2:index 4 ; lv2:symbol "out" ; lv2:name "Out" ] .
)";

class Refusal : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "manifest.ttl") << description;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Lv2World world() const { return Lv2World({"file://" + folder_.string() + "/"}); }
  static std::vector<std::string> reasons(const Lv2World& world, const char* uri, std::uint32_t frames) {
    return reasons_to_refuse(world, world.get(uri), ports_of(world, world.get(uri), 48000), frames);
  }
  static std::string error_of(const ChainSpec& spec, const Lv2World& world) {
    try {
      resolve(spec, world);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }

  std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / ("hotspare_refusal_" + std::to_string(getpid()) + ".lv2");
};

TEST_F(Refusal, NamesEachReason) {
  const std::vector<std::string> expected{"it requires urn:test:moon", "it requires urn:test:stars",
                                          "it requires the option urn:test:colour",
                                          "its port \"smell\" is neither audio, CV, control nor atom"};
  EXPECT_EQ(reasons(world(), "urn:test:demanding", 128), expected);
  EXPECT_EQ(reasons(world(), "urn:test:demanding", 100).size(), expected.size() + 1);
  EXPECT_TRUE(reasons(world(), "urn:test:modest", 128).empty());
  EXPECT_NE(error_of({.plugins = {{.uri = "urn:test:demanding"}}}, world()).find("it requires urn:test:stars; it"),
            std::string::npos);
}

TEST_F(Refusal, OfWhatIsNotThereOrOutOfRange) {
  const auto error = [&](const PluginSpec& plugin) { return error_of({.plugins = {plugin}}, world()); };
  EXPECT_NE(error({.uri = "urn:test:nobody"}).find("no LV2 plug-in urn:test:nobody"), std::string::npos);
  EXPECT_NE(error({.uri = "not a URI"}).find("no LV2 plug-in"), std::string::npos);
  EXPECT_NE(error({.uri = "urn:test:modest", .preset = "P"}).find("no preset \"P\""), std::string::npos);
  EXPECT_NE(error({.uri = "urn:test:modest", .controls = {{"loud", 1}}}).find("it has gain, cut"), std::string::npos);
  EXPECT_NE(error({.uri = "urn:test:modest", .controls = {{"gain", 25}}}).find("-24 to 24"), std::string::npos);
  EXPECT_EQ(error({.uri = "urn:test:modest", .controls = {{"gain", -24}, {"cut", 24000}}}), "");
  EXPECT_NE(error_of({.frames = 0}, world()).find("frames = 0"), std::string::npos);
  EXPECT_NE(error_of({.channels = 65}, world()).find("channels = 65"), std::string::npos);
}

TEST_F(Refusal, KnowsPortsAsTheyAreDescribed) {
  const Lv2World described = world();
  const std::vector<PluginPort> ports = ports_of(described, described.get("urn:test:modest"), 48000);
  ASSERT_EQ(ports.size(), 5U);
  EXPECT_EQ(ports[1].initial, 12000);
  EXPECT_EQ(ports[1].maximum, 24000);
  EXPECT_FALSE(ports[2].sidechain);
  EXPECT_TRUE(ports[3].sidechain);
  EXPECT_FALSE(ports[4].input);
}

TEST_F(Refusal, OfALibraryThatIsNotThereIsAnErrorToo) {
  ChainSpec spec{.plugins = {{.uri = "urn:test:modest"}}};
  spec = resolve(spec, world());
  EXPECT_EQ(spec.bundles.size(), 1U);
  EXPECT_THROW(Lv2Chain{spec}, Error);
}

}  // namespace
}  // namespace hotspare::audio
