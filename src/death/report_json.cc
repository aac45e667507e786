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

}  // namespace

std::string CrashReport::json() const {
  nlohmann::json stack = nlohmann::json::array();
  for (const Frame& frame : native_stack()) stack.push_back(frame_json(frame));
  nlohmann::json threads = nlohmann::json::array();
  for (const ThreadStack& thread : other_threads()) {
    nlohmann::json frames = nlohmann::json::array();
    for (const Frame& frame : thread.frames) frames.push_back(frame_json(frame));
    threads.push_back({{"thread_id", thread.thread_id}, {"native_stack", std::move(frames)}});
  }
  nlohmann::json before = nlohmann::json::array();
  for (const auto& death : earlier) before.push_back(death->summary());
  const nlohmann::json report = {
      {"summary", summary()},
      {"cause", name(cause)},
      {"signal", unless(signal == 0, signal)},
      {"signal_name", unless(signal == 0, death::signal_name(signal))},
      {"signal_code", signal_code},
      {"exit_code", unless(exit_code < 0, exit_code)},
      {"fault_address", unless(!has_fault_address, fault_address)},
      {"sender_pid", unless(sender_pid == 0, sender_pid)},
      {"oom", name(oom)},
      {"evidence", evidence},
      {"detail", detail},
      {"pid", pid},
      {"thread_id", unless(thread_id == 0, thread_id)},
      {"task_id", unless(task_id == 0, task_id)},
      {"task_name", task_label()},
      {"attempt", attempt},
      {"earlier", std::move(before)},
      {"quarantined", quarantined},
      {"peak_rss_bytes", unless(peak_rss_bytes == 0, peak_rss_bytes)},
      {"cpu_time_us", cpu_time.count()},
      {"stderr_tail", stderr_tail},
      {"script_stack", unless(script_stack.empty(), script_stack)},
      {"native_stack", std::move(stack)},
      {"other_threads", std::move(threads)},
  };
  // A dying program writes anything to stderr: what is not UTF-8 is replaced, where the default would throw.
  return report.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace hotspare
