// hotspare plugins --survey over plug-ins that die, as a shell would run it.

#include "run_command.hpp"
#include "survey.hpp"

#include <gtest/gtest.h>
#include <support/under_tsan.hpp>

#include <cstdlib>

namespace hotspare::cli {
namespace {

std::string row_of(const std::string& page, const std::string& uri) {
  const std::size_t at = page.find("`" + uri + "`");
  return at == std::string::npos ? "" : page.substr(at, page.find('\n', at) - at);
}

TEST(Survey, OutlivesPluginsThatDie) {
  if (hotspare::testing::under_tsan()) GTEST_SKIP() << "its pool forks; not under ThreadSanitizer";
  setenv("LV2_PATH", HOTSPARE_TEST_PLUGINS, 1);
  const testing::Ended ended = testing::run("plugins --survey --length 1s --kills 3");
  unsetenv("LV2_PATH");
  EXPECT_EQ(ended.status, 0) << ended.output;
  const auto expect = [&](const char* uri, const char* says) {
    EXPECT_NE(row_of(ended.output, uri).find(says), std::string::npos) << says << " in " << ended.output;
  };
  expect("urn:hotspare:test:rogue", "| 1>1 | works |");
  expect("urn:hotspare:test:rogue", "| yes |");
  expect("urn:hotspare:test:rogue", "| 3 kills, same sound |");
  expect("urn:hotspare:test:worker", "| works |");
  expect("urn:hotspare:test:worker", "| 3 kills, same sound |");
  expect("urn:hotspare:test:never_made", "| fails |");
  expect("urn:hotspare:test:crash_when_made", "| dies |");
  expect("urn:hotspare:test:crash_when_made", "while it is made");
  expect("urn:hotspare:test:crash_when_run", "signal 11 in rogue.so");
  expect("urn:hotspare:test:crash_when_run", "while it runs");
}

TEST(Survey, TellsEachVerdictInItsTable) {
  Surveyed refused{.uri = "urn:maker:plugin", .name = "A|B"};
  refused.result.refused = {"it requires urn:moon"};
  Surveyed works{.uri = "http://maker.org/plugin", .name = "C"};
  works.same_elsewhere = true;
  works.result.threads = 2;
  works.killed = {.kills = 10, .deaths = 10};
  const std::string page = markdown({works, refused}, {}, "2026-11-25");
  EXPECT_EQ(verdict_of(refused), Verdict::refused);
  EXPECT_NE(page.find("| A\\|B | `urn:maker:plugin` |  | refused |"), std::string::npos) << page;
  EXPECT_NE(page.find("it requires urn:moon |"), std::string::npos) << page;
  EXPECT_NE(page.find("| between processes only | 10 kills, same sound | silent |"), std::string::npos) << page;
  EXPECT_NE(page.find("| http://maker.org | 1 | 1 | 0 | 0 | 0 | 0 | 1 | 1 | 10 | 1 | 1 |"), std::string::npos) << page;
  EXPECT_NE(page.find("| all | 2 | 1 | 1 | 0 | 0 | 0 | 1 | 1 | 10 | 1 | 1 |"), std::string::npos) << page;
}

TEST(Survey, TellsWhatKillsDid) {
  Surveyed one{.uri = "urn:maker:plugin"};
  one.killed = {.kills = 10, .deaths = 12, .late = 3, .states_lost = 1, .sound = 7};
  EXPECT_NE(markdown({one}, {}, "").find("| 10 kills, 12 deaths, 3 blocks late, began anew 1 times, goes on |"),
            std::string::npos);
  one.not_killed = "no";
  EXPECT_NE(markdown({one}, {}, "").find("| not run in replicas: no |"), std::string::npos);
}

}  // namespace
}  // namespace hotspare::cli
