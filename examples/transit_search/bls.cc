#include "bls.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace transit {

namespace {

/// Boxes tried, in parts of solar_duration: dense dwarfs have short transits, subgiants long ones, and a planet
/// that does not cross the middle of the disc has shorter ones.
constexpr double shortest_box = 0.3;
constexpr double longest_box = 1.5;
constexpr double bins_in_shortest_box = 3;
constexpr double box_growth = 1.2;
/// A box of fewer points would let one or two outliers pass for a transit.
constexpr double min_points_in_box = 5;

struct Point {
  double time = 0;  ///< Days since the first point.
  double flux = 0;  ///< Mean taken out, as eq. 5 needs it.
};

/// One phase bin, or the sum of all before it: both sums in one cache line.
struct Bin {
  double flux = 0;
  double points = 0;
};

std::vector<Point> centred(std::span<const double> time, std::span<const double> flux) {
  const double mean = std::accumulate(flux.begin(), flux.end(), 0.0) / static_cast<double>(flux.size());
  std::vector<Point> points(time.size());
  for (std::size_t i = 0; i < points.size(); ++i) points[i] = {time[i] - time[0], flux[i] - mean};
  return points;
}

/// Folds the points with a trial period into phase bins.
void fold(const std::vector<Point>& points, double frequency, std::vector<Bin>& bins) {
  std::fill(bins.begin(), bins.end(), Bin{});
  const auto count = static_cast<double>(bins.size());
  const std::size_t last = bins.size() - 1;
  for (const Point& point : points) {
    const double cycles = point.time * frequency;
    const double phase = cycles - static_cast<double>(static_cast<std::int64_t>(cycles));
    // A phase just below 1 times the count may round up to the count.
    Bin& bin = bins[std::min(static_cast<std::size_t>(static_cast<std::int64_t>(phase * count)), last)];
    bin.flux += point.flux;
    bin.points += 1;
  }
}

/// sums[i]: all bins before the i-th; goes on over the end by `beyond` bins, for boxes that cross phase 0.
void sum_up(const std::vector<Bin>& bins, std::size_t beyond, std::vector<Bin>& sums) {
  sums.resize(bins.size() + beyond + 1);
  Bin sum;
  for (std::size_t i = 0; i + 1 < sums.size(); ++i) {
    sums[i] = sum;
    const Bin& bin = bins[i < bins.size() ? i : i - bins.size()];
    sum.flux += bin.flux;
    sum.points += bin.points;
  }
  sums.back() = sum;
}

/// The best box so far at one trial. Its SR^2 (eq. 5) is kept as a fraction, to compare without a division.
struct BestBox {
  double flux = 0;
  double points = 0;
  double over = 0;   ///< s^2, from sums instead of means.
  double under = 1;  ///< r (1 - r), likewise.
  std::size_t start = 0;
  std::size_t width = 0;
};

/// Tries all boxes of one width.
void try_width(const std::vector<Bin>& sums, std::size_t bins, std::size_t width, double points, BestBox& best) {
  for (std::size_t start = 0; start < bins; ++start) {
    const double flux = sums[start + width].flux - sums[start].flux;
    const double inside = sums[start + width].points - sums[start].points;
    const double over = flux * flux;
    const double under = inside * (points - inside);
    // First the condition that hardly ever holds: the others then cost nothing.
    if (over * best.under > best.over * under && flux < 0 && inside >= min_points_in_box && inside < points)
      best = {flux, inside, over, under, start, width};
  }
}

/// Room that trials share, so that none allocates.
struct Workspace {
  std::vector<Point> points;
  std::vector<Bin> bins;
  std::vector<Bin> sums;
};

Box search_trial(Workspace& work, double frequency) {
  const double solar = solar_duration(frequency);
  const auto count = static_cast<std::size_t>(std::ceil(bins_in_shortest_box / (shortest_box * solar)));
  const auto widest = static_cast<std::size_t>(longest_box * solar * static_cast<double>(count));
  work.bins.resize(count);
  fold(work.points, frequency, work.bins);
  sum_up(work.bins, widest, work.sums);

  const auto points = static_cast<double>(work.points.size());
  BestBox best;
  for (auto width = static_cast<std::size_t>(bins_in_shortest_box); width <= widest;
       width = std::max(width + 1, static_cast<std::size_t>(static_cast<double>(width) * box_growth)))
    try_width(work.sums, count, width, points, best);

  Box box;
  if (best.width == 0) return box;
  const double bin_days = 1 / (frequency * static_cast<double>(count));
  box.power = std::sqrt(best.over / best.under);
  box.depth = -best.flux / best.points - best.flux / (points - best.points);  // H - L; the mean flux is 0
  box.duration = static_cast<double>(best.width) * bin_days;
  const double middle = (static_cast<double>(best.start) + static_cast<double>(best.width) / 2) * bin_days;
  box.epoch = std::fmod(middle, 1 / frequency);
  box.points = static_cast<std::uint64_t>(best.points);
  return box;
}

}  // namespace

BandResult search_band(std::span<const double> time, std::span<const double> flux, const PeriodGrid& grid, Band band) {
  BandResult result;
  result.best.trial = band.first;
  if (time.empty() || time.size() != flux.size()) return result;
  Workspace work;
  work.points = centred(time, flux);
  result.power.reserve(band.last - band.first);
  for (std::uint64_t trial = band.first; trial < band.last; ++trial) {
    Box box = search_trial(work, grid.frequency(trial));
    result.power.push_back(box.power);
    if (box.power <= result.best.power) continue;
    box.trial = trial;
    box.epoch += time[0];
    result.best = box;
  }
  return result;
}

std::vector<Band> cut_into_bands(const PeriodGrid& grid, std::uint64_t count) {
  count = std::clamp<std::uint64_t>(count, 1, std::max<std::uint64_t>(grid.trials, 1));
  std::vector<Band> bands;
  for (std::uint64_t i = 0; i < count; ++i) bands.push_back({grid.trials * i / count, grid.trials * (i + 1) / count});
  return bands;
}

void append(BandResult& all, const BandResult& next) {
  if (all.power.empty() || next.best.power > all.best.power) all.best = next.best;
  all.power.insert(all.power.end(), next.power.begin(), next.power.end());
}

bool same_bits(const BandResult& part, Band band, const BandResult& whole) {
  const std::uint64_t trials = band.last - band.first;
  return part.power.size() == trials && band.last <= whole.power.size() &&
         std::memcmp(part.power.data(), whole.power.data() + band.first, trials * sizeof(double)) == 0;
}

double detection_efficiency(const std::vector<double>& power) {
  if (power.empty()) return 0;
  const auto count = static_cast<double>(power.size());
  const double mean = std::accumulate(power.begin(), power.end(), 0.0) / count;
  double squares = 0;
  for (const double value : power) squares += (value - mean) * (value - mean);
  const double deviation = std::sqrt(squares / count);
  return deviation > 0 ? (*std::max_element(power.begin(), power.end()) - mean) / deviation : 0;
}

}  // namespace transit
