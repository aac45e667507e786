#include "light_curve.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

namespace transit {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The catalogue number that follows the prefix, without leading zeros; empty if there is none.
std::string number_after(std::string_view text, std::string_view prefix) {
  if (text.size() <= prefix.size()) return {};
  for (std::size_t i = 0; i < prefix.size(); ++i)
    if (std::tolower(static_cast<unsigned char>(text[i])) != prefix[i]) return {};
  text.remove_prefix(prefix.size());
  while (!text.empty() && (text.front() == ' ' || text.front() == '_' || text.front() == '-')) text.remove_prefix(1);
  while (text.size() > 1 && text.front() == '0') text.remove_prefix(1);
  const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
  return {text.begin(), end};
}

}  // namespace

std::string star_of_file(std::string_view file_name) {
  constexpr std::pair<std::string_view, std::string_view> prefixes[] = {
      {"epic", "EPIC "}, {"ktwo", "EPIC "}, {"kplr", "KIC "}, {"kic", "KIC "}, {"tic", "TIC "}};
  for (const auto& [prefix, catalogue] : prefixes) {
    const std::string number = number_after(file_name, prefix);
    if (!number.empty()) return std::string(catalogue) + number;
  }
  const std::size_t dot = file_name.rfind('.');
  return std::string(file_name.substr(0, dot == 0 ? file_name.size() : dot));
}

LightCurve merged(const std::vector<LightCurve>& curves) {
  std::vector<std::pair<double, double>> points;
  for (const LightCurve& curve : curves)
    for (std::size_t i = 0; i < curve.size(); ++i) points.emplace_back(curve.time[i], curve.flux[i]);
  std::stable_sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.first < b.first; });

  LightCurve all;
  if (!curves.empty()) all.name = curves.front().name;
  for (const auto& [time, flux] : points) {
    if (!all.time.empty() && time == all.time.back()) continue;
    all.time.push_back(time);
    all.flux.push_back(flux);
  }
  return all;
}

}  // namespace transit
