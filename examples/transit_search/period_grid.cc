#include "period_grid.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <string>

namespace transit {

namespace {

constexpr double shortest_period = 0.2;     // days; below, the star itself is hit
constexpr double longest_default = 50;      // days
constexpr double longest_baseline = 36525;  // days: a century; more is no time in days
constexpr double most_trials = 2e7;

std::string days(double value) { return std::to_string(value) + " days"; }

}  // namespace

double solar_duration(double frequency) {
  // A circular orbit seen edge-on: duration / period = R / (pi a), and a from Kepler's third law.
  constexpr double gravity_times_mass = 1.3271244e20;  // m3/s2, nominal solar value of IAU 2015 resolution B3
  constexpr double radius = 6.957e8;                   // m, nominal solar value of the same
  constexpr double seconds_per_day = 86400;
  const double omega = 2 * std::numbers::pi * frequency / seconds_per_day;
  return radius / std::numbers::pi * std::cbrt(omega * omega / gravity_times_mass);
}

PeriodGrid make_grid(double baseline_days, const GridOptions& options) {
  if (!(baseline_days > 0) || baseline_days > longest_baseline)
    throw std::runtime_error("the light curve covers " + days(baseline_days) + ", expected more than 0 and at most " +
                             days(longest_baseline));
  if (!(options.min_period >= shortest_period))
    throw std::runtime_error("the shortest period is " + days(options.min_period) + ", expected at least " +
                             days(shortest_period));
  const double longest = options.max_period > 0 ? options.max_period : std::min(baseline_days / 3, longest_default);
  if (!(longest > options.min_period))
    throw std::runtime_error("no period to try between " + days(options.min_period) + " and " + days(longest) +
                             " (the light curve covers " + days(baseline_days) + ")");
  if (!(options.oversampling >= 1)) throw std::runtime_error("the oversampling must be at least 1");

  PeriodGrid grid;
  grid.first_root = std::cbrt(1 / longest);
  // Over the baseline, a step may shift the transit by a duration / oversampling: df = q(f) / (baseline *
  // oversampling), and with f = x^3 and q(f) = q(1) x^2 that is 3 dx = q(1) / (baseline * oversampling).
  grid.step = solar_duration(1) / (3 * baseline_days * options.oversampling);
  const double trials = std::floor((std::cbrt(1 / options.min_period) - grid.first_root) / grid.step) + 1;
  if (trials > most_trials)
    throw std::runtime_error("too many periods to try: " + std::to_string(trials) + "; expected at most " +
                             std::to_string(most_trials));
  grid.trials = static_cast<std::uint64_t>(trials);
  return grid;
}

}  // namespace transit
