#include "death/signal_name.hpp"

#include <hotspare/crash_report.hpp>

#include <nlohmann/json.hpp>

namespace hotspare {
namespace {

nlohmann::json frame_json(const Frame& frame) {
  return {{"address", frame.address},   {"module", frame.module}, {"offset", frame.offset},
          {"function", frame.function}, {"file", frame.file},     {"line", frame.line}};
}

/// null rather than a number that means "none".
template <class T>
nlohmann::json unless(bool absent, const T& value) {
  return absent ? nlohmann::json(nullptr) : nlohmann::json(value);
}

nlohmann::json stack_json(const std::vector<Frame>& frames) {
  nlohmann::json stack = nlohmann::json::array();
  for (const Frame& frame : frames) stack.push_back(frame_json(frame));
  return stack;
}

/// All but the deaths before it.
nlohmann::json report_json(const CrashReport& report) {
  nlohmann::json threads = nlohmann::json::array();
  for (const ThreadStack& thread : report.other_threads())
    threads.push_back({{"thread_id", thread.thread_id}, {"native_stack", stack_json(thread.frames)}});
  return {
      {"summary", report.summary()},
      {"cause", report.cause_name()},
      {"signal", unless(report.signal == 0, report.signal)},
      {"signal_name", unless(report.signal == 0, death::signal_name(report.signal))},
      {"signal_code", report.signal_code},
      {"exit_code", unless(report.exit_code < 0, report.exit_code)},
      {"fault_address", unless(!report.has_fault_address, report.fault_address)},
      {"sender_pid", unless(report.sender_pid == 0, report.sender_pid)},
      {"oom", name(report.oom)},
      {"evidence", report.evidence},
      {"detail", report.detail},
      {"pid", report.pid},
      {"thread_id", unless(report.thread_id == 0, report.thread_id)},
      {"task_id", unless(report.task_id == 0, report.task_id)},
      {"task_name", report.task_label()},
      {"attempt", report.attempt},
      {"quarantined", report.quarantined},
      {"peak_rss_bytes", unless(report.peak_rss_bytes == 0, report.peak_rss_bytes)},
      {"cpu_time_us", report.cpu_time.count()},
      {"stderr_tail", report.stderr_tail},
      {"script_stack", unless(report.script_stack.empty(), report.script_stack)},
      {"native_stack", stack_json(report.native_stack())},
      {"other_threads", std::move(threads)},
  };
}

}  // namespace

std::string CrashReport::json() const {
  nlohmann::json report = report_json(*this);
  // An earlier death's own earlier ones stand in this list, too: written once each, they stay as many as there were deaths.
  nlohmann::json before = nlohmann::json::array();
  for (const auto& death : earlier) before.push_back(report_json(*death));
  report["earlier"] = std::move(before);
  // A dying program writes anything to stderr: what is not UTF-8 is replaced, where the default would throw.
  return report.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace hotspare
