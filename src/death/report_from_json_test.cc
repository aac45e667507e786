#include "death/report_from_json.hpp"
#include "death/stack_image.hpp"

#include <hotspare/error.hpp>

#include <gtest/gtest.h>

namespace hotspare::death {
namespace {

CrashReport full() {
  CrashReport report;
  report.cause = Cause::signal;
  report.signal = 11;
  report.signal_code = 1;
  report.has_fault_address = true;
  report.fault_address = 0xdeadbeef;
  report.oom = Oom::likely;
  report.evidence = "its status and its last words";
  report.pid = 4711;
  report.thread_id = 4712;
  report.task_id = 9;
  report.task_name = "decode";
  report.attempt = 1;
  report.peak_rss_bytes = 123'456'789;
  report.cpu_time = std::chrono::microseconds(1'500'000);
  report.stderr_tail = {"one", "two \xc3\xa4"};
  report.script_stack = "File \"a.py\"";
  report.stack_image = detail::StackImage::told({{0x1234, "/lib/x.so", 0x34, "decode(int)", "/src/x.cc", 31}});
  return report;
}

TEST(ReportFromJson, TellsAllThatTheReportTold) {
  const CrashReport report = full();
  const CrashReport again = report_from_json(report.json());
  EXPECT_EQ(again.json(), report.json());
  EXPECT_EQ(again.text(), report.text());
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

TEST(ReportFromJson, RefusesWhatIsNoReport) {
  EXPECT_THROW(report_from_json("{"), PayloadError);
  EXPECT_THROW(report_from_json("[1]"), PayloadError);
  EXPECT_THROW(report_from_json("{\"pid\": \"x\"}"), PayloadError);
}

}  // namespace
}  // namespace hotspare::death
