#include "death/crash_harness.hpp"
#include "death/demangle.hpp"
#include "support/under_tsan.hpp"

#include <hotspare/error.hpp>

#include <nlohmann/json.hpp>

#include <thread>
#include <type_traits>

namespace hotspare {
namespace {

static_assert(std::is_nothrow_copy_constructible_v<WorkerDied>);
static_assert(std::is_nothrow_copy_constructible_v<RemoteError>);

int* volatile target = nullptr;
volatile int sink = 0;
CRASH_FUNCTION void decode() {
  *target = 1;
  sink = 1;
}

CrashReport report_of(Cause cause) {
  CrashReport report;
  report.cause = cause;
  report.pid = 4242;
  report.task_id = 17;
  report.task_name = "decode";
  report.attempt = 1;
  report.peak_rss_bytes = 212'000'000;
  return report;
}

TEST(Summary, NamesSignalAddressFunctionTaskAndMemory) {
  auto report = report_of(Cause::signal);
  report.signal = SIGSEGV;
  report.has_fault_address = true;
  report.stack_image = death::testing::crash_in_child(decode).image;
  const std::string line = std::to_string(report.native_stack().at(0).line);
  EXPECT_EQ(report.summary(),
            "worker 4242 died of SIGSEGV at address 0x0 in hotspare::(anonymous namespace)::decode (report_test.cc:" +
                line + "); task 17 \"decode\", attempt 1; peak memory 212 MB");
}

TEST(Summary, SaysWhatWasGoingOnWhenItWasEnded) {
  auto report = report_of(Cause::deadline);
  EXPECT_EQ(report.summary(),
            "worker 4242 was ended: its deadline passed; task 17 \"decode\", attempt 1; peak memory 212 MB");
  report.stack_image = death::testing::crash_in_child(decode).image;
  const std::string whereabouts = "its deadline passed while in hotspare::(anonymous namespace)::decode (";
  EXPECT_NE(report.summary().find(whereabouts), std::string::npos);
}

TEST(Summary, PassesOverTheRunTimeLibrary) {
  if (hotspare::testing::under_tsan()) GTEST_SKIP() << "ThreadSanitizer's abort is not the run-time library's";
  auto report = report_of(Cause::signal);
  report.signal = SIGABRT;
  report.stack_image = death::testing::crash_in_child([] { std::abort(); }).image;
  EXPECT_EQ(report.summary().find("in abort"), std::string::npos) << report.summary();
  EXPECT_NE(report.summary().find("report_test.cc"), std::string::npos) << report.summary();
}

TEST(Summary, HasWordsForEveryCause) {
  for (int i = 0; i <= static_cast<int>(Cause::unknown); ++i) {
    const auto report = report_of(static_cast<Cause>(i));
    EXPECT_NE(report.summary().find("task 17"), std::string::npos);
    EXPECT_EQ(name(report.cause) == "unknown", report.cause == Cause::unknown);
  }
  auto program = report_of(Cause::exec);
  program.detail = "ls";
  EXPECT_NE(program.summary().find("became another program by exec: ls; task"), std::string::npos);
  program.exit_code = 0;
  EXPECT_NE(program.summary().find("by exec: ls, which exited with code 0; task"), std::string::npos);
  auto memory = report_of(Cause::out_of_memory);
  EXPECT_NE(memory.summary().find("was killed, most likely by the kernel"), std::string::npos);
  memory.oom = Oom::certain;
  EXPECT_NE(memory.summary().find("was killed by the kernel"), std::string::npos);
  auto report = report_of(Cause::signal);
  report.signal = SIGKILL;
  report.sender_pid = 99;
  EXPECT_NE(report.summary().find("was killed by SIGKILL that process 99 sent"), std::string::npos);
  report.task_id = 0;
  EXPECT_NE(report.summary().find("no task was running"), std::string::npos);
}

TEST(Text, HoldsStackEvidenceAndStderr) {
  auto report = report_of(Cause::signal);
  report.signal = SIGSEGV;
  report.signal_code = SEGV_MAPERR;
  report.evidence = "the worker's handler told";
  report.stderr_tail = {"one", "two"};
  report.stack_image = death::testing::crash_in_child(decode).image;
  const std::string text = report.text();
  for (const char* part : {"#0 0x", "decode", "the worker's handler told", "| one\n", "| two\n", "not mapped"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  }
}

TEST(Json, ParsesBack) {
  auto report = report_of(Cause::stack_overflow);
  report.has_fault_address = true;
  report.fault_address = 0xfffffffffffffff8;
  report.signal = SIGSEGV;
  report.cpu_time = std::chrono::microseconds(1500);
  report.stack_image = death::testing::crash_in_child(decode).image;
  const auto json = nlohmann::json::parse(report.json());
  EXPECT_EQ(json["cause"], "stack_overflow");
  EXPECT_EQ(json["fault_address"], 0xfffffffffffffff8);
  EXPECT_EQ(json["signal_name"], "SIGSEGV");
  EXPECT_EQ(json["cpu_time_us"], 1500);
  EXPECT_TRUE(json["exit_code"].is_null());
  EXPECT_EQ(json["native_stack"].size(), report.native_stack().size());
  EXPECT_EQ(json["summary"], report.summary());
}

TEST(Json, TakesBytesThatAreNoText) {
  auto report = report_of(Cause::exited);
  report.stderr_tail = {"\xff\xfe broken", std::string("nul\0inside", 10), "caf\xc3\xa9"};
  const auto json = nlohmann::json::parse(report.json());
  ASSERT_EQ(json["stderr_tail"].size(), 3u);
  EXPECT_EQ(json["stderr_tail"][2], "caf\xc3\xa9");
}

TEST(WorkerDied, MakesItsTextWhenAskedAndSharesIt) {
  auto report = report_of(Cause::signal);
  report.signal = SIGSEGV;
  report.stack_image = death::testing::crash_in_child(decode).image;
  const WorkerDied died(report);
  const WorkerDied copy = died;
  std::vector<std::thread> threads;
  std::vector<const char*> seen(8);
  for (auto& one : seen) threads.emplace_back([&one, &copy] { one = copy.what(); });
  for (auto& thread : threads) thread.join();
  for (const char* one : seen) EXPECT_EQ(one, died.what());
  EXPECT_EQ(died.what(), report.summary());
  EXPECT_EQ(copy.report().pid, 4242);
}

TEST(WorkerDied, IsCaughtAsItsBases) {
  try {
    throw WorkerDied(report_of(Cause::exited));
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("exited with code"), std::string::npos);
  }
}

TEST(RemoteError, CarriesTypeMessageAndStack) {
  const RemoteError error("app::Broken", "it broke", {Frame{.function = "f"}});
  const RemoteError copy = error;  // NOLINT(performance-unnecessary-copy-initialization): the copy is tested
  EXPECT_EQ(copy.type(), "app::Broken");
  EXPECT_STREQ(copy.what(), "it broke");
  EXPECT_EQ(copy.stack().at(0).function, "f");
}

TEST(ShortName, DropsParameters) {
  EXPECT_EQ(death::short_name("image::decode(std::string const&)"), "image::decode");
  EXPECT_EQ(death::short_name("(anonymous namespace)::f(int)"), "(anonymous namespace)::f");
  EXPECT_EQ(death::short_name("f(int)::{lambda()#1}::operator()() const"), "f(int)::{lambda()#1}::operator()");
  EXPECT_EQ(death::short_name("A::operator<<(int)"), "A::operator<<");
  EXPECT_EQ(death::short_name("std::function<void (int)>::call(int)"), "std::function<void (int)>::call");
  EXPECT_EQ(death::short_name("main"), "main");
  EXPECT_EQ(death::short_name(""), "");
}

TEST(Demangle, LeavesNamesOfCAlone) {
  EXPECT_EQ(death::demangle("f"), "f");
  EXPECT_EQ(death::demangle("_Z1fi"), "f(int)");
  EXPECT_EQ(death::demangle(nullptr), "");
}

}  // namespace
}  // namespace hotspare
