#include "bls.hpp"

#include "made_up_curve.hpp"

#include <gtest/gtest.h>

namespace transit {
namespace {

constexpr double days = 60;
constexpr double period = 4.321;
constexpr double duration = 0.15;
constexpr double depth = 0.001;

BandResult search_all(const LightCurve& curve, const PeriodGrid& grid) {
  return search_band(curve.time, curve.flux, grid, {0, grid.trials});
}

TEST(Bls, FindsABoxInNoise) {
  const LightCurve curve = noise_with_box(days, period, duration, depth, 0.0005);
  const PeriodGrid grid = make_grid(days);
  const BandResult result = search_all(curve, grid);
  EXPECT_NEAR(grid.period(result.best.trial), period, 0.002 * period);
  EXPECT_NEAR(result.best.depth, depth, 0.2 * depth);
  EXPECT_NEAR(result.best.duration, duration, 0.3 * duration);
  EXPECT_GT(detection_efficiency(result.power), 8);
}

TEST(Bls, PlacesTheEpochInTheMiddleOfTheFirstDip) {
  const LightCurve curve = noise_with_box(days, period, duration, depth, 1e-5);
  const PeriodGrid grid = make_grid(days);
  const double first_middle = 1000 + period - period / 3 + duration / 2;
  EXPECT_NEAR(search_all(curve, grid).best.epoch, first_middle, 0.05);
}

TEST(Bls, PowerOfACleanBoxIsThatOfEquation5) {
  // Without noise SR = depth * sqrt(r (1 - r)), r being the part of the points within the box.
  const LightCurve curve = noise_with_box(days, period, duration, depth, 0);
  const BandResult result = search_all(curve, make_grid(days));
  const double r = static_cast<double>(result.best.points) / static_cast<double>(curve.size());
  EXPECT_NEAR(result.best.power, result.best.depth * std::sqrt(r * (1 - r)), 1e-12);
}

TEST(Bls, IgnoresBumps) {
  LightCurve curve = noise_with_box(days, period, duration, -10 * depth, 0.0001);
  const BandResult result = search_all(curve, make_grid(days));
  EXPECT_LT(result.best.depth, depth * 5);
}

class BlsInBands : public testing::TestWithParam<std::uint64_t> {};

TEST_P(BlsInBands, EqualsOneSearchBitForBit) {
  const LightCurve curve = noise_with_box(30, period, duration, depth, 0.0005);
  const PeriodGrid grid = make_grid(30);
  const BandResult whole = search_all(curve, grid);
  BandResult merged;
  for (const Band band : cut_into_bands(grid, GetParam())) {
    const BandResult part = search_band(curve.time, curve.flux, grid, band);
    EXPECT_TRUE(same_bits(part, band, whole));
    append(merged, part);
  }
  EXPECT_TRUE(same_bits(merged, {0, grid.trials}, whole));
  EXPECT_EQ(merged.best, whole.best);
}
INSTANTIATE_TEST_SUITE_P(Splits, BlsInBands, testing::Values(1, 2, 3, 7, 96, 1000));

TEST(Bls, SameBitsSeesOneBit) {
  BandResult whole{{1, 2, 3, 4}, {}};
  EXPECT_TRUE(same_bits({{2, 3}, {}}, {1, 3}, whole));
  EXPECT_FALSE(same_bits({{2, std::nextafter(3, 4)}, {}}, {1, 3}, whole));
  EXPECT_FALSE(same_bits({{2}, {}}, {1, 3}, whole));
  EXPECT_FALSE(same_bits({{4, 5}, {}}, {3, 5}, whole));
}

TEST(Bls, HasNoPowerWhereThereIsNothing) {
  const PeriodGrid grid = make_grid(30);
  EXPECT_TRUE(search_band({}, {}, grid, {0, 10}).power.empty());
  LightCurve flat = noise_with_box(30, period, duration, 0, 0);
  const BandResult result = search_band(flat.time, flat.flux, grid, {0, grid.trials});
  EXPECT_EQ(result.best.power, 0);
  EXPECT_EQ(detection_efficiency(result.power), 0);
}

TEST(Bands, CoverEveryTrialOnce) {
  const PeriodGrid grid = make_grid(30);
  for (const std::uint64_t count : {std::uint64_t{1}, std::uint64_t{5}, grid.trials, grid.trials + 9}) {
    const std::vector<Band> bands = cut_into_bands(grid, count);
    std::uint64_t next = 0;
    for (const Band& band : bands) {
      EXPECT_EQ(band.first, next);
      EXPECT_LT(band.first, band.last);
      next = band.last;
    }
    EXPECT_EQ(next, grid.trials);
  }
}

TEST(PeriodGrid, GoesFromTheLongestToTheShortest) {
  const PeriodGrid grid = make_grid(90, {.min_period = 1, .max_period = 10});
  EXPECT_NEAR(grid.period(0), 10, 1e-9);
  EXPECT_GE(grid.period(grid.trials - 1), 1 - 1e-9);
  EXPECT_LT(grid.period(grid.trials), 1);
}

TEST(PeriodGrid, StepsByAPartOfATransit) {
  constexpr double oversampling = 5;
  const PeriodGrid grid = make_grid(90, {.oversampling = oversampling});
  for (const std::uint64_t i : {std::uint64_t{0}, grid.trials / 2, grid.trials - 2}) {
    const double shift = (grid.frequency(i + 1) - grid.frequency(i)) * 90;  // in cycles, over the whole curve
    EXPECT_NEAR(shift, solar_duration(grid.frequency(i)) / oversampling, 0.001 * shift);
  }
}

TEST(PeriodGrid, RefusesWhatCannotBeSearched) {
  EXPECT_THROW(make_grid(0), std::runtime_error);
  EXPECT_THROW(make_grid(-1), std::runtime_error);
  EXPECT_THROW(make_grid(1e300), std::runtime_error);
  EXPECT_THROW(make_grid(std::nan("")), std::runtime_error);
  EXPECT_THROW(make_grid(1), std::runtime_error);  // a third of a day is below the shortest period
  EXPECT_THROW(make_grid(90, {.min_period = 0.01}), std::runtime_error);
  EXPECT_THROW(make_grid(90, {.min_period = 5, .max_period = 4}), std::runtime_error);
  EXPECT_THROW(make_grid(30000, {.oversampling = 1000}), std::runtime_error);
}

TEST(PeriodGrid, EarthTransitsTheSunIn13Hours) {
  constexpr double year = 365.25;
  EXPECT_NEAR(solar_duration(1 / year) * year * 24, 13, 0.1);
}

}  // namespace
}  // namespace transit
