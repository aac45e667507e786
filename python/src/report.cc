#include "report.hpp"

namespace hotspare::python {
namespace {

nb::str text(std::string_view bytes) {
  return nb::steal<nb::str>(
      PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "backslashreplace"));
}

/// All but the stacks.
nb::dict facts(const CoreReport& core) {
  const CrashReport& report = core.get();
  nb::dict all;
  all["cause"] = text(report.cause_name());
  all["signal"] = report.signal == 0 ? nb::object(nb::none()) : nb::int_(report.signal);
  all["signal_code"] = report.signal_code;
  all["exitcode"] = report.exit_code < 0 ? nb::object(nb::none()) : nb::int_(report.exit_code);
  all["fault_address"] = report.has_fault_address ? nb::int_(report.fault_address) : nb::object(nb::none());
  all["sender_pid"] = report.sender_pid == 0 ? nb::object(nb::none()) : nb::int_(report.sender_pid);
  all["oom"] = text(name(report.oom));
  all["evidence"] = text(report.evidence);
  all["detail"] = text(report.detail);
  all["pid"] = report.pid;
  all["attempt"] = report.attempt;
  all["task_id"] = report.task_id;
  all["peak_rss"] = report.peak_rss_bytes;
  all["cpu_time"] = static_cast<double>(report.cpu_time.count()) / 1e6;
  all["python_stack_text"] = text(report.script_stack);
  nb::list lines;
  for (const std::string& line : report.stderr_tail) lines.append(text(line));
  all["stderr_tail"] = nb::tuple(lines);
  all["quarantined"] = report.quarantined;
  return all;
}

/// Of a channel's replica the block; a pool's tasks are named in Python.
nb::str task_name(const CoreReport& core) { return text(core.get().task_name); }

nb::list earlier(const CoreReport& core) {
  nb::list all;
  for (const auto& death : core.get().earlier) all.append(make_report(death));
  return all;
}

/// Tuples (function, file or None, line or None, module, address), innermost first.
nb::tuple tuples_of(const std::vector<Frame>& stack) {
  nb::list frames;
  for (const Frame& frame : stack) {
    const nb::object file = frame.file.empty() ? nb::object(nb::none()) : nb::object(text(frame.file));
    const nb::object line = frame.line == 0 ? nb::object(nb::none()) : nb::object(nb::int_(frame.line));
    frames.append(nb::make_tuple(text(frame.function), file, line, text(frame.module), frame.address));
  }
  return nb::tuple(frames);
}

nb::tuple native_stack(const CoreReport& core) {
  const std::vector<Frame>* stack = nullptr;
  {
    const WithoutGil others_may_run;
    stack = &core.get().native_stack();
  }
  return tuples_of(*stack);
}

/// Tuples (thread id, stack) of the other threads.
nb::tuple other_threads(const CoreReport& core) {
  std::vector<ThreadStack> threads;
  {
    const WithoutGil others_may_run;
    threads = core.get().other_threads();
  }
  nb::list all;
  for (const ThreadStack& thread : threads) all.append(nb::make_tuple(thread.thread_id, tuples_of(thread.frames)));
  return nb::tuple(all);
}

}  // namespace

nb::object make_report(std::shared_ptr<const CrashReport> report) { return nb::cast(CoreReport(std::move(report))); }

void define_report(nb::module_& module) {
  nb::class_<CoreReport>(module, "CoreReport")
      .def("facts", facts)
      .def("task_name", task_name)
      .def("native_stack", native_stack)
      .def("earlier", earlier)
      .def("other_threads", other_threads);
}

}  // namespace hotspare::python
