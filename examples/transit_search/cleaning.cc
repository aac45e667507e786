#include "cleaning.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace transit {

namespace {

/// The upper median; the order of the values is lost.
double median_of(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

LightCurve finite_points(const LightCurve& raw) {
  LightCurve kept;
  kept.name = raw.name;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (!std::isfinite(raw.time[i]) || !std::isfinite(raw.flux[i])) continue;
    kept.time.push_back(raw.time[i]);
    kept.flux.push_back(raw.flux[i]);
  }
  return kept;
}

void require_points(const LightCurve& curve, const char* what) {
  if (curve.size() >= min_points) return;
  throw std::runtime_error(curve.name + ": " + std::to_string(curve.size()) + " " + what + ", at least " +
                           std::to_string(min_points) + " expected");
}

/// Divides the points [begin, end), a stretch without gaps, by their running median.
void flatten(const LightCurve& curve, std::size_t begin, std::size_t end, double window, std::vector<double>& out) {
  std::vector<double> near;
  std::size_t low = begin;
  std::size_t high = begin;
  for (std::size_t i = begin; i < end; ++i) {
    while (curve.time[low] < curve.time[i] - window / 2) ++low;
    while (high < end && curve.time[high] <= curve.time[i] + window / 2) ++high;
    near.assign(curve.flux.begin() + static_cast<std::ptrdiff_t>(low),
                curve.flux.begin() + static_cast<std::ptrdiff_t>(high));
    const double trend = median_of(near);
    if (trend <= 0)
      throw std::runtime_error(curve.name + ": the running median of the flux is " + std::to_string(trend) +
                               ", a positive brightness was expected (magnitudes? a flux with its mean taken out?)");
    out[i] = curve.flux[i] / trend;
  }
}

void flatten_stretches(LightCurve& curve, const Cleaning& cleaning) {
  std::vector<double> flat(curve.size());
  std::size_t begin = 0;
  for (std::size_t i = 1; i <= curve.size(); ++i) {
    if (i < curve.size() && curve.time[i] - curve.time[i - 1] <= cleaning.gap) continue;
    flatten(curve, begin, i, cleaning.window, flat);
    begin = i;
  }
  curve.flux = std::move(flat);
}

LightCurve without_bright_outliers(const LightCurve& curve, double sigmas) {
  std::vector<double> distance(curve.size());
  std::transform(curve.flux.begin(), curve.flux.end(), distance.begin(), [](double f) { return std::abs(f - 1); });
  constexpr double sigma_per_mad = 1.4826;  // of a normal distribution
  const double sigma = sigma_per_mad * median_of(distance);
  LightCurve kept;
  kept.name = curve.name;
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (curve.flux[i] > 1 + sigmas * sigma) continue;
    kept.time.push_back(curve.time[i]);
    kept.flux.push_back(curve.flux[i]);
  }
  return kept;
}

}  // namespace

LightCurve cleaned(const LightCurve& raw, const Cleaning& cleaning) {
  const LightCurve finite = finite_points(raw);
  require_points(finite, "points are numbers");
  LightCurve curve = merged({finite});
  require_points(curve, "points have a time of their own");
  flatten_stretches(curve, cleaning);
  curve = without_bright_outliers(curve, cleaning.clip_sigmas);
  require_points(curve, "points are left after clipping");
  return curve;
}

}  // namespace transit
