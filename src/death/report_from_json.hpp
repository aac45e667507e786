#pragma once

#include <hotspare/crash_report.hpp>

#include <string_view>

namespace hotspare::death {

/// The report that CrashReport::json wrote, perhaps in another run of the program. What is missing keeps its default; throws
/// PayloadError for what is no report at all.
CrashReport report_from_json(std::string_view json);

}  // namespace hotspare::death
