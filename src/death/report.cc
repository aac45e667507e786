#include "death/causes.hpp"
#include "death/demangle.hpp"
#include "death/frame_text.hpp"
#include "death/signal_name.hpp"
#include "death/stack_image.hpp"
#include "death/unwind.hpp"

#include <hotspare/crash_report.hpp>

#include <algorithm>
#include <sstream>

namespace hotspare {
namespace {

std::string megabytes(std::uint64_t bytes) { return std::to_string((bytes + 500'000) / 1'000'000) + " MB"; }

std::string at_fault(const CrashReport& report) {
  return report.has_fault_address ? " at address " + death::hex(report.fault_address) : "";
}

std::string died_of_signal(const CrashReport& report) {
  const std::string signal = death::signal_name(report.signal);
  if (report.sender_pid != 0 && report.sender_pid != report.pid) {
    return "was killed by " + signal + " that process " + std::to_string(report.sender_pid) + " sent";
  }
  return "died of " + signal + at_fault(report);
}

/// How the program ended that it had become.
std::string end_of_program(const CrashReport& report) {
  if (report.exit_code >= 0) return ", which exited with code " + std::to_string(report.exit_code);
  if (report.signal != 0) return ", which died of " + death::signal_name(report.signal);
  return {};
}

std::string told(std::string_view what, const CrashReport& report) {
  if (what == "signal") return died_of_signal(report);
  if (what == "at") return at_fault(report);
  if (what == "code") return std::to_string(report.exit_code);
  if (what == "detail") return report.detail.empty() ? "" : ": " + report.detail;
  if (what == "surely") return report.oom == Oom::certain ? "" : ", most likely";
  if (what == "end") return end_of_program(report);
  return {};
}

/// What became of the worker: the sentence of the cause with what the report knows in its places.
std::string fate(const CrashReport& report) {
  if (!report.other_cause.empty()) return "died: " + report.other_cause;
  std::string text;
  for (std::string_view rest = death::facts_of(report.cause).sentence; !rest.empty();) {
    const std::size_t open = std::min(rest.find('{'), rest.size());
    text += rest.substr(0, open);
    rest.remove_prefix(open);
    if (rest.empty()) break;
    const std::size_t close = rest.find('}');
    text += told(rest.substr(1, close - 1), report);
    rest.remove_prefix(close + 1);
  }
  return text;
}

/// Of what we ended, the stack tells what it was busy with; of what crashed, where it crashed.
std::string whereabouts(const CrashReport& report) {
  const Frame* const frame = death::telling_frame(report.native_stack());
  if (frame == nullptr) return {};
  return (death::facts_of(report.cause).ended ? " while in " : " in ") + death::short_text(*frame);
}

std::string task_text(const CrashReport& report) {
  if (report.task_id == 0) return "; no task was running";
  std::string text = "; task " + std::to_string(report.task_id);
  if (const std::string label = report.task_label(); !label.empty()) text += " \"" + label + "\"";
  if (report.attempt > 0) text += ", attempt " + std::to_string(report.attempt);
  return text;
}

std::string facts_text(const CrashReport& report) {
  std::string text;
  const auto reason = death::fault_reason(report.signal, report.signal_code);
  if (!reason.empty()) text += "  reason: " + std::string(reason) + "\n";
  if (!report.detail.empty()) text += "  detail: " + report.detail + "\n";
  if (!report.evidence.empty()) text += "  evidence: " + report.evidence + "\n";
  if (report.oom != Oom::no) text += "  out of memory: " + std::string(name(report.oom)) + "\n";
  if (report.cpu_time.count() > 0) text += "  CPU time: " + std::to_string(report.cpu_time.count() / 1000) + " ms\n";
  return text;
}

std::string script_stack_text(const CrashReport& report) {
  if (report.script_stack.empty()) return {};
  std::string text = "  script stack:\n";
  std::istringstream lines(report.script_stack);
  for (std::string line; std::getline(lines, line);) text += "    " + line + "\n";
  return text;
}

std::string stack_text(std::int64_t thread, const std::vector<Frame>& frames) {
  std::string text = "  stack";
  if (thread != 0) text += " of thread " + std::to_string(thread);
  text += ":\n";
  int number = 0;
  for (const Frame& frame : frames) text += "    #" + std::to_string(number++) + " " + death::long_text(frame) + "\n";
  return text;
}

std::string stacks_text(const CrashReport& report) {
  if (report.native_stack().empty()) return "  stack: none was taken\n";
  std::string text = stack_text(report.thread_id, report.native_stack());
  for (const ThreadStack& thread : report.other_threads()) text += stack_text(thread.thread_id, thread.frames);
  return text;
}

}  // namespace

std::string CrashReport::task_label() const {
  if (!task_name.empty()) return task_name;
  if (task_code != nullptr) return death::describe_address(task_code);
  return task_type != nullptr ? death::demangle_type(task_type) : std::string();
}

const std::vector<Frame>& CrashReport::native_stack() const {
  static const std::vector<Frame>& none = *new std::vector<Frame>;
  return stack_image ? stack_image->frames() : none;
}

std::vector<ThreadStack> CrashReport::other_threads() const {
  std::vector<ThreadStack> all;
  for (const auto& image : other_stack_images) all.push_back({image->thread_id, image->frames()});
  return all;
}

std::string CrashReport::summary() const {
  std::string text = "worker " + std::to_string(pid) + " " + fate(*this) + whereabouts(*this) + task_text(*this);
  if (peak_rss_bytes != 0) text += "; peak memory " + megabytes(peak_rss_bytes);
  return text;
}

std::string CrashReport::text() const {
  std::string text = summary() + "\n" + facts_text(*this) + script_stack_text(*this) + stacks_text(*this);
  if (!stderr_tail.empty()) text += "  its last lines on stderr:\n";
  for (const std::string& line : stderr_tail) text += "    | " + line + "\n";
  if (quarantined) text += "  it is in quarantine: no more workers are risked for it\n";
  for (const auto& death : earlier) text += "  before that " + death->summary() + "\n";
  return text;
}

std::string_view CrashReport::cause_name() const { return other_cause.empty() ? name(cause) : other_cause; }

std::string_view name(Cause cause) { return death::facts_of(cause).name; }

std::string_view name(Oom oom) {
  switch (oom) {
    case Oom::no: return "no";
    case Oom::likely: return "likely";
    case Oom::certain: return "certain";
  }
  return "no";
}

}  // namespace hotspare
