#include "support/beacon.hpp"
#include "support/one_death.hpp"
#include "support/sanitizer.hpp"
#include "support/under_tsan.hpp"

#include <nlohmann/json.hpp>
#include <rapidjson/document.h>

#include <csignal>
#include <cstdio>
#include <regex>
#include <string>
#include <sys/resource.h>

/// P3. What a person or a program can do with the report; and libraries that crash in earnest.
namespace hotspare::testing {

int* volatile nowhere = nullptr;
volatile int written = 0;

HOTSPARE_GUILTY void crashes_with_a_word() {
  std::fprintf(stderr, "about to fall \xff\n");
  *nowhere = 1;
  written = 1;
}

namespace {

using ::testing::HasSubstr;
using P3Report = OneDeath;

/// A machine may give its main threads endless stacks.
void usual_stack() {
  rlimit limit{};
  ::getrlimit(RLIMIT_STACK, &limit);
  limit.rlim_cur = 8 << 20;
  ::setrlimit(RLIMIT_STACK, &limit);
}

TEST_F(P3Report, JsonSaysAllOfIt) {
  const CrashReport report = death_in(crashes_with_a_word);
  const auto json = nlohmann::json::parse(report.json());
  EXPECT_EQ(json.at("cause"), "signal");
  EXPECT_EQ(json.at("signal"), SIGSEGV);
  EXPECT_EQ(json.at("signal_name"), "SIGSEGV");
  EXPECT_EQ(json.at("fault_address"), 0);
  EXPECT_TRUE(json.at("exit_code").is_null());
  EXPECT_TRUE(json.at("sender_pid").is_null());
  EXPECT_EQ(json.at("pid"), report.pid);
  EXPECT_EQ(json.at("task_id"), report.task_id);
  EXPECT_EQ(json.at("task_name"), "the guilty one");
  EXPECT_EQ(json.at("attempt"), 1);
  EXPECT_EQ(json.at("summary"), report.summary());
  EXPECT_GT(json.at("peak_rss_bytes"), 0);
  EXPECT_GE(json.at("cpu_time_us"), 0);
  ASSERT_FALSE(json.at("native_stack").empty());
  EXPECT_THAT(json.at("native_stack")[0].at("function").get<std::string>(), HasSubstr("crashes_with_a_word"));
  EXPECT_THAT(json.at("native_stack")[0].at("file").get<std::string>(), HasSubstr("p3_report_test.cc"));
  EXPECT_GT(json.at("native_stack")[0].at("line"), 0);
  EXPECT_THAT(json.at("stderr_tail")[0].get<std::string>(), HasSubstr("about to fall"));
}

TEST_F(P3Report, TextSaysWhatAPersonNeeds) {
  const std::string text = death_in(crashes_with_a_word).text();
  EXPECT_THAT(text, HasSubstr("SIGSEGV"));
  EXPECT_THAT(text, HasSubstr("at address 0x0"));
  EXPECT_THAT(text, HasSubstr("crashes_with_a_word"));
  EXPECT_THAT(text, HasSubstr("p3_report_test.cc:"));
  EXPECT_THAT(text, HasSubstr("\"the guilty one\""));
  EXPECT_THAT(text, HasSubstr("attempt 1"));
  EXPECT_THAT(text, HasSubstr("peak memory"));
  EXPECT_THAT(text, HasSubstr("| about to fall"));
}

TEST(P3ReportAlone, OutlivesThePool) {
  CrashReport report;
  {
    Pool pool(small_pool());
    report = death_of(pool.submit(crashes_with_a_word));
  }
  EXPECT_TRUE(stack_has(report, "crashes_with_a_word"));
  EXPECT_THAT(report.task_label(), HasSubstr("crashes_with_a_word"));  // no name was given
}

TEST_F(P3Report, RapidJsonOverflowsItsStackOnAMillionBrackets) {
  if (hotspare::testing::under_tsan())
    GTEST_SKIP() << "ThreadSanitizer passes the signal on without the alternate stack";
  const CrashReport report = death_in(
      [](const std::string& text) {
        usual_stack();
        rapidjson::Document document;
        document.Parse(text.c_str());
        return document.HasParseError();
      },
      std::string(1'000'000, '['));
  EXPECT_EQ(report.cause, Cause::stack_overflow) << report.text();
  EXPECT_EQ(report.signal, SIGSEGV);
  EXPECT_TRUE(stack_has(report, "rapidjson")) << report.text();
}

TEST_F(P3Report, StdRegexOverflowsItsStackOnALongText) {
  if (testing::under_tsan()) GTEST_SKIP() << "its frames are larger";
  const CrashReport report = death_in(
      [](const std::string& text) {
        usual_stack();
        return std::regex_match(text, std::regex("(a|b)*"));
      },
      std::string(200'000, 'a'));
  EXPECT_EQ(report.cause, Cause::stack_overflow) << report.text();
  EXPECT_TRUE(stack_has(report, "_Executor")) << report.text();
}

}  // namespace
}  // namespace hotspare::testing
