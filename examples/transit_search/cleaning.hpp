#pragma once

#include "light_curve.hpp"

namespace transit {

/// How a light curve is made fit for a search for transits. Lengths in days.
struct Cleaning {
  double window = 1.5;  ///< Width of the running median: several times the longest transit, else it eats it.
  double gap = 0.5;     ///< A pause longer than this ends a stretch: the star drifts, the spacecraft turns.
  double clip_sigmas =
      4.0;  ///< Points brighter than this many robust sigmas go. Faint ones stay: they may be transits.
};

/// Takes out points that are not finite, sorts by time, divides each stretch by its running median (so
/// that the flux is relative, around 1, and slow variation is gone) and clips bright outliers.
/// Throws std::runtime_error, naming the curve, when nothing is left that could be searched: fewer than
/// min_points points, or a flux whose median is not positive.
LightCurve cleaned(const LightCurve& raw, const Cleaning& cleaning = {});

inline constexpr std::size_t min_points = 50;

}  // namespace transit
