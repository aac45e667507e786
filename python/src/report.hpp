#pragma once

#include "python.hpp"

#include <hotspare/crash_report.hpp>

#include <memory>

namespace hotspare::python {

/// Holds a CrashReport until somebody looks at its native stack, which takes time to unwind.
class CoreReport {
 public:
  explicit CoreReport(std::shared_ptr<const CrashReport> report) : report_(std::move(report)) {}
  const CrashReport& get() const { return *report_; }
  const std::shared_ptr<const CrashReport>& shared() const { return report_; }

 private:
  std::shared_ptr<const CrashReport> report_;
};

nb::object make_report(std::shared_ptr<const CrashReport> report);
void define_report(nb::module_& module);

}  // namespace hotspare::python
