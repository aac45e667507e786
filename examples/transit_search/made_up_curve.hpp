#pragma once

#include "light_curve.hpp"

#include <cmath>
#include <random>

namespace transit {

/// White noise with a box-shaped dip in it, one point each half hour: for unit tests, whose answer is known.
inline LightCurve noise_with_box(double days, double period, double duration, double depth, double sigma) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> noise(0, sigma);
  constexpr double cadence = 1.0 / 48;
  LightCurve curve;
  curve.name = "made up";
  for (int sample = 0; sample * cadence < days; ++sample) {
    const double time = sample * cadence;
    const double phase = std::fmod(time + period / 3, period);
    curve.time.push_back(1000 + time);
    curve.flux.push_back(1 + noise(random) - (phase < duration ? depth : 0));
  }
  return curve;
}

}  // namespace transit
