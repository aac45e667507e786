#include "death/report_from_json.hpp"

#include "death/causes.hpp"
#include "death/stack_image.hpp"

#include <hotspare/error.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>
#include <vector>

namespace hotspare::death {
namespace {

using Json = nlohmann::json;

template <class T>
void take(const Json& from, const char* name, T& into) {
  const auto found = from.find(name);
  if (found != from.end() && !found->is_null()) found->get_to(into);
}

/// One that only another version knows is kept by its name.
void take_cause(const Json& from, CrashReport& report) {
  std::string text;
  take(from, "cause", text);
  const auto* const known =
      std::find_if(causes.begin(), causes.end(), [&](const auto& row) { return row.name == text; });
  if (known != causes.end()) {
    report.cause = known->cause;
  } else {
    report.other_cause = std::move(text);
  }
}

void take_oom(const Json& from, CrashReport& report) {
  std::string text;
  take(from, "oom", text);
  for (const Oom each : {Oom::no, Oom::likely, Oom::certain}) {
    if (text == name(each)) report.oom = each;
  }
}

Frame frame_from(const Json& from) {
  Frame frame;
  take(from, "address", frame.address);
  take(from, "module", frame.module);
  take(from, "offset", frame.offset);
  take(from, "function", frame.function);
  take(from, "file", frame.file);
  take(from, "line", frame.line);
  return frame;
}

std::vector<Frame> frames_from(const Json& from) {
  std::vector<Frame> frames;
  if (const auto stack = from.find("native_stack"); stack != from.end()) {
    for (const Json& each : *stack) frames.push_back(frame_from(each));
  }
  return frames;
}

/// All but the deaths before it.
CrashReport report_from(const Json& from) {
  CrashReport report;
  take_cause(from, report);
  take_oom(from, report);
  take(from, "signal", report.signal);
  take(from, "signal_code", report.signal_code);
  take(from, "exit_code", report.exit_code);
  take(from, "fault_address", report.fault_address);
  report.has_fault_address = from.contains("fault_address") && !from["fault_address"].is_null();
  take(from, "sender_pid", report.sender_pid);
  take(from, "evidence", report.evidence);
  take(from, "detail", report.detail);
  take(from, "pid", report.pid);
  take(from, "thread_id", report.thread_id);
  take(from, "task_id", report.task_id);
  take(from, "task_name", report.task_name);
  take(from, "attempt", report.attempt);
  take(from, "peak_rss_bytes", report.peak_rss_bytes);
  std::int64_t cpu_us = 0;
  take(from, "cpu_time_us", cpu_us);
  report.cpu_time = std::chrono::microseconds(cpu_us);
  take(from, "stderr_tail", report.stderr_tail);
  take(from, "script_stack", report.script_stack);
  take(from, "quarantined", report.quarantined);
  if (auto frames = frames_from(from); !frames.empty())
    report.stack_image = detail::StackImage::told(std::move(frames), report.thread_id);
  if (const auto threads = from.find("other_threads"); threads != from.end()) {
    for (const Json& each : *threads) {
      std::int64_t thread_id = 0;
      take(each, "thread_id", thread_id);
      report.other_stack_images.push_back(detail::StackImage::told(frames_from(each), thread_id));
    }
  }
  return report;
}

}  // namespace

CrashReport report_from_json(std::string_view json) {
  try {
    const Json parsed = Json::parse(json);
    if (!parsed.is_object()) throw PayloadError("a stored report cannot be read: it is no JSON object");
    CrashReport report = report_from(parsed);
    if (const auto before = parsed.find("earlier"); before != parsed.end()) {
      // Journals of the first builds have one-line summaries there, of which no report can be made.
      for (const Json& each : *before) {
        if (each.is_object()) report.earlier.push_back(std::make_shared<const CrashReport>(report_from(each)));
      }
    }
    return report;
  } catch (const Json::exception& error) {
    throw PayloadError(std::string("a stored report cannot be read: ") + error.what());
  }
}

}  // namespace hotspare::death
