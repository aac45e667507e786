#pragma once

#include "death/evidence.hpp"

#include <hotspare/crash_report.hpp>

namespace hotspare::death {

/// What killed the worker. Pure: the same evidence gives the same verdict. Fills cause, signal, exit code, fault
/// address, sender, oom, evidence and detail of the report.
void judge(const Evidence& evidence, CrashReport& report);

}  // namespace hotspare::death
