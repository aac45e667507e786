#pragma once

#include <chrono>
#include <string_view>

namespace hotspare::cli {

/// "50ms", "1.5s", "2min", "200us", "1h": a number above 0 and its unit. Throws UsageError that names the option.
std::chrono::nanoseconds parse_duration(std::string_view option, std::string_view text);

}  // namespace hotspare::cli
