#pragma once

#include <cstdint>

namespace transit {

struct GridOptions {
  double min_period = 0.5;  ///< Days, at least 0.2.
  double max_period = 0;    ///< Days; 0: a third of the time observed, so that three transits fit, at most 50.
  double oversampling = 5;  ///< Trials within the width of a peak.
};

/// Trial periods, from long to short, of equal steps in the cube root of frequency: the sampling that gives
/// each peak of the spectrum the same number of trials (Ofir 2014, A&A 561, A138), because a transit of a
/// star of given density lasts a part of the period that grows as frequency^(2/3).
struct PeriodGrid {
  double first_root = 0;  ///< Cube root of the lowest frequency (1/days).
  double step = 0;        ///< Step of the cube root.
  std::uint64_t trials = 0;

  /// The i-th frequency (1/days). Depends on i alone, not on where a band begins.
  double frequency(std::uint64_t i) const {
    const double root = first_root + step * static_cast<double>(i);
    return root * root * root;
  }
  double period(std::uint64_t i) const { return 1 / frequency(i); }
};

/// Part of the period that a central transit of a star of the Sun's mean density lasts.
double solar_duration(double frequency);

/// The grid for a curve that covers so many days.
/// Throws std::runtime_error if options and baseline leave no period, or too many, to try.
PeriodGrid make_grid(double baseline_days, const GridOptions& options = {});

}  // namespace transit
