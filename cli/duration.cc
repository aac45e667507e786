#include "duration.hpp"

#include "exit_status.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace hotspare::cli {

namespace {

struct Unit {
  std::string_view name;
  double nanoseconds;
};
constexpr std::array units{Unit{"us", 1e3}, Unit{"ms", 1e6}, Unit{"s", 1e9}, Unit{"min", 60e9}, Unit{"h", 3600e9}};

/// 100 years: what hotspare takes for "for ever", and still within the range of std::chrono::nanoseconds.
constexpr double longest = 100 * 365.25 * 86400e9;

}  // namespace

std::chrono::nanoseconds parse_duration(std::string_view option, std::string_view text) {
  double number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(rest, text.data() + text.size());
  const auto* const known =
      std::find_if(units.begin(), units.end(), [&](const Unit& each) { return each.name == unit; });
  const double nanoseconds = known == units.end() ? 0 : number * known->nanoseconds;
  if (error != std::errc() || !(nanoseconds >= 1) || nanoseconds > longest)
    throw UsageError(std::string(option) +
                     " expects a time above 0 with its unit (us, ms, s, min, h), as 50ms, not \"" + std::string(text) +
                     "\"");
  return std::chrono::nanoseconds(static_cast<std::chrono::nanoseconds::rep>(nanoseconds));
}

}  // namespace hotspare::cli
