#include "death/report_from_json.hpp"
#include "death/stack_image.hpp"

#include <hotspare/error.hpp>

#include <gtest/gtest.h>

#include <memory>

namespace hotspare::death {
namespace {

CrashReport earlier_death(std::int64_t pid) {
  CrashReport report;
  report.cause = Cause::exited;
  report.exit_code = 3;
  report.pid = pid;
  report.task_id = 9;
  report.task_name = "decode";
  report.attempt = 1;
  report.stderr_tail = {"its own words"};
  report.stack_image = detail::StackImage::told({{0x77, "/lib/y.so", 0x7, "leave()", "/src/y.cc", 5}}, pid);
  return report;
}

/// Each field has a value that is not its default.
CrashReport full() {
  CrashReport report;
  report.cause = Cause::signal;
  report.signal = 11;
  report.signal_code = 1;
  report.has_fault_address = true;
  report.fault_address = 0xdeadbeef;
  report.exit_code = 4;
  report.sender_pid = 17;
  report.oom = Oom::likely;
  report.evidence = "its status and its last words";
  report.detail = "what the exception said";
  report.pid = 4711;
  report.thread_id = 4712;
  report.task_id = 9;
  report.task_name = "decode";
  report.attempt = 3;
  report.quarantined = true;
  report.peak_rss_bytes = 123'456'789;
  report.cpu_time = std::chrono::microseconds(1'500'000);
  report.stderr_tail = {"one", "two \xc3\xa4"};
  report.script_stack = "File \"a.py\"";
  report.stack_image = detail::StackImage::told({{0x1234, "/lib/x.so", 0x34, "decode(int)", "/src/x.cc", 31}}, 4712);
  report.other_stack_images = {
      detail::StackImage::told({{0x1, "/lib/x.so", 0x1, "wait()", "", 0}, {0x2, "", 0, "", "", 0}}, 4713),
      detail::StackImage::told({}, 4714)};
  CrashReport second = earlier_death(4710);
  second.attempt = 2;
  second.earlier = {std::make_shared<const CrashReport>(earlier_death(4709))};
  report.earlier = {second.earlier[0], std::make_shared<const CrashReport>(second)};
  return report;
}

TEST(ReportFromJson, TellsAllThatTheReportTold) {
  const CrashReport report = full();
  const CrashReport again = report_from_json(report.json());
  EXPECT_EQ(again.json(), report.json());
  EXPECT_EQ(again.text(), report.text());
}

TEST(ReportFromJson, ReadsEveryField) {
  const CrashReport again = report_from_json(full().json());
  EXPECT_EQ(again.exit_code, 4);
  EXPECT_EQ(again.sender_pid, 17);
  EXPECT_EQ(again.detail, "what the exception said");
  EXPECT_TRUE(again.quarantined);
  EXPECT_EQ(again.thread_id, 4712);
  ASSERT_EQ(again.other_threads().size(), 2U);
  EXPECT_EQ(again.other_threads()[0].thread_id, 4713);
  ASSERT_EQ(again.other_threads()[0].frames.size(), 2U);
  EXPECT_EQ(again.other_threads()[0].frames[0].function, "wait()");
  EXPECT_EQ(again.other_threads()[1].thread_id, 4714);
}

TEST(ReportFromJson, EarlierDeathsComeWholeButForTheirOwnEarlierOnes) {
  const CrashReport report = full();
  const CrashReport again = report_from_json(report.json());
  ASSERT_EQ(again.earlier.size(), 2U);
  EXPECT_EQ(again.earlier[0]->json(), report.earlier[0]->json());
  EXPECT_EQ(again.earlier[0]->text(), report.earlier[0]->text());
  EXPECT_EQ(again.earlier[1]->attempt, 2);
  EXPECT_EQ(again.earlier[1]->stderr_tail, report.earlier[1]->stderr_tail);
  EXPECT_EQ(again.earlier[1]->native_stack()[0].function, "leave()");
  EXPECT_TRUE(again.earlier[1]->earlier.empty());
}

TEST(ReportFromJson, KeepsWhatIsNone) {
  CrashReport report;
  report.cause = Cause::exited;
  report.exit_code = 0;
  const CrashReport again = report_from_json(report.json());
  EXPECT_EQ(again.json(), report.json());
  EXPECT_FALSE(again.has_fault_address);
}

TEST(ReportFromJson, EveryCauseArrives) {
  for (int i = 0; i <= static_cast<int>(Cause::unknown); ++i) {
    CrashReport report;
    report.cause = static_cast<Cause>(i);
    EXPECT_EQ(report_from_json(report.json()).cause, report.cause);
  }
}

TEST(ReportFromJson, ACauseOfAnotherVersionIsKept) {
  const CrashReport report =
      report_from_json(R"({"pid": 5, "cause": "eaten", "earlier": [{"pid": 4, "cause": "bored"}]})");
  EXPECT_EQ(report.cause, Cause::unknown);
  EXPECT_EQ(report.cause_name(), "eaten");
  EXPECT_EQ(report.summary(), "worker 5 died: eaten; no task was running");
  const CrashReport again = report_from_json(report.json());
  EXPECT_EQ(again.cause_name(), "eaten");
  EXPECT_EQ(again.earlier.at(0)->cause_name(), "bored");
}

TEST(ReportFromJson, RefusesWhatIsNoReport) {
  EXPECT_THROW(report_from_json("{"), PayloadError);
  EXPECT_THROW(report_from_json("[1]"), PayloadError);
  EXPECT_THROW(report_from_json("{\"pid\": \"x\"}"), PayloadError);
  EXPECT_THROW(report_from_json("{\"earlier\": [{\"pid\": \"x\"}]}"), PayloadError);
}

TEST(ReportFromJson, SummariesOfEarlierDeathsAreNoReports) {
  const CrashReport report = report_from_json("{\"pid\": 5, \"earlier\": [\"worker 4 died of SIGSEGV\"]}");
  EXPECT_EQ(report.pid, 5);
  EXPECT_TRUE(report.earlier.empty());
}

}  // namespace
}  // namespace hotspare::death
