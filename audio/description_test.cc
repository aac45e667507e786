// Descriptions are read where that may cost a process.

#include "description.hpp"

#include <hotspare/error.hpp>

#include <gtest/gtest.h>
#include <support/under_tsan.hpp>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace hotspare::audio {
namespace {

constexpr const char* port = " ; lv2:symbol \"p\" ; lv2:name \"p\" ] ";

/// A bundle whose plug-ins have odd descriptions, and those that LV2 itself brings beside it.
class Descriptions : public ::testing::Test {
 protected:
  void SetUp() override {
    if (hotspare::testing::under_tsan()) GTEST_SKIP() << "they are read in forks; not under ThreadSanitizer";
    std::filesystem::create_directories(folder_ / "odd.lv2");
    std::ofstream(folder_ / "odd.lv2" / "manifest.ttl")
        << "@prefix lv2: <http://lv2plug.in/ns/lv2core#> . @prefix doap: <http://usefulinc.com/ns/doap#> .\n"
        << "<urn:test:far> a lv2:Plugin ; lv2:binary <no.so> ; doap:name \"Far\" ; lv2:port [ a lv2:AudioPort, "
           "lv2:InputPort ; lv2:index 4000000000"
        << port << ".\n"
        << "<urn:test:gap> a lv2:Plugin ; lv2:binary <no.so> ; doap:name \"Gap\" ; lv2:port [ a lv2:AudioPort, "
           "lv2:InputPort ; lv2:index 7"
        << port << ".\n"
        << "<urn:test:mute> a lv2:Plugin ; lv2:binary <no.so> ; doap:name \"Mute\" ; lv2:port [ a lv2:AudioPort, "
           "lv2:InputPort ; lv2:index 0 ] .\n"
        << "<urn:test:good> a lv2:Plugin ; lv2:binary <no.so> ; doap:name \"Good\" ; lv2:port [ a lv2:AudioPort, "
           "lv2:InputPort ; lv2:index 0"
        << port << ".\n";
    ::setenv("LV2_PATH", folder_.c_str(), 1);
  }
  void TearDown() override {
    ::unsetenv("LV2_PATH");
    std::filesystem::remove_all(folder_);
  }

  std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / ("hotspare_descriptions_" + std::to_string(::getpid()));
};

TEST_F(Descriptions, OneThatCannotBeReadIsRefusedAlone) {
  const std::vector<Description> all = describe_installed("urn:test:");
  ASSERT_EQ(all.size(), 4U);
  for (const Description& each : all) {
    EXPECT_EQ(each.unreadable.empty(), each.uri != "urn:test:far") << each.uri << ": " << each.unreadable;
    if (each.uri == "urn:test:good") {
      EXPECT_EQ(each.name, "Good");
      EXPECT_EQ(each.shape, "1>0");
    }
  }
}

TEST_F(Descriptions, WhoNeedsItIsTold) {
  EXPECT_NO_THROW(require_readable({{.uri = "urn:test:good"}, {.uri = "urn:test:nobody"}}));
  for (const char* uri : {"urn:test:far"}) {
    try {
      require_readable({{.uri = "urn:test:good"}, {.uri = uri}});
      ADD_FAILURE() << uri << " was read";
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).rfind(std::string(uri) + ": its description cannot be read: ", 0), 0U)
          << error.what();
    }
  }
}

}  // namespace
}  // namespace hotspare::audio
