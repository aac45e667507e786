#pragma once

#include "light_curve.hpp"
#include "period_grid.hpp"

#include <cstdint>
#include <span>
#include <vector>

/// Box Least Squares: G. Kovács, S. Zucker, T. Mazeh 2002, "A box-fitting algorithm in the search for periodic
/// transits", A&A 391, 369. Written afresh from the paper; "eq." below are its equations. All points weigh the same.
namespace transit {

/// Trials [first, last) of a grid: what one task searches.
struct Band {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

/// The box that fits best at one trial.
struct Box {
  std::uint64_t trial = 0;
  double power = 0;          ///< Signal residue SR (eq. 5), in units of the flux; 0: no dip found.
  double depth = 0;          ///< H - L: how much lower the flux is within the box.
  double duration = 0;       ///< Days.
  double epoch = 0;          ///< Middle of the first box at or after the curve's first point; the curve's time.
  std::uint64_t points = 0;  ///< Points within the box.

  bool operator==(const Box&) const = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(trial, power, depth, duration, epoch, points);
  }
};

struct BandResult {
  std::vector<double> power;  ///< SR of each trial of the band.
  Box best;                   ///< Of the highest power; of equals the first.

  template <class Archive>
  void serialize(Archive& archive) {
    archive(power, best);
  }
};

/// Searches one band. Each value depends on curve, grid and the trial's number only, so that bands put side
/// by side are bit for bit what one search over all of them gives.
/// time in days, ascending; flux of the same length, around 1.
BandResult search_band(std::span<const double> time, std::span<const double> flux, const PeriodGrid& grid, Band band);

/// Cuts all trials of the grid into so many bands (fewer if there are not as many trials).
std::vector<Band> cut_into_bands(const PeriodGrid& grid, std::uint64_t count);

/// Puts a later band's result behind an earlier one's.
void append(BandResult& all, const BandResult& next);

/// Whether a band's values are, bit for bit, those that a search over the whole grid has in its place.
bool same_bits(const BandResult& part, Band band, const BandResult& whole);

/// Signal detection efficiency (eq. 6): how many standard deviations the peak stands above the spectrum's mean.
double detection_efficiency(const std::vector<double>& power);

}  // namespace transit
