// Stars whose planets are published, found in real light curves.

#include "bls.hpp"
#include "catalogue.hpp"
#include "read_any.hpp"
#include "test_folder.hpp"

#include <algorithm>
#include <cmath>

namespace transit {
namespace {

struct Found {
  double period = 0;
  Box box;
  double efficiency = 0;
};

Found search(const LightCurve& curve, const GridOptions& options) {
  const PeriodGrid grid = make_grid(curve.time.back() - curve.time.front(), options);
  const BandResult result = search_band(curve.time, curve.flux, grid, {0, grid.trials});
  return {grid.period(result.best.trial), result.best, detection_efficiency(result.power)};
}

/// Fewer trials than the program takes by default, so that the tests are quick; a step is still half a transit.
constexpr GridOptions coarse{.oversampling = 2};

std::vector<LightCurve> tres2_quarters() {
  std::vector<LightCurve> quarters;
  for (const auto& entry : std::filesystem::directory_iterator(real_light_curves()))
    if (entry.path().filename().string().starts_with("kplr011446443")) quarters.push_back(read_clean(entry.path()));
  return quarters;
}

TEST(RealStars, TrES2InEightQuarters) {
  SKIP_WITHOUT_REAL_LIGHT_CURVES();
  const std::vector<LightCurve> quarters = tres2_quarters();
  ASSERT_EQ(quarters.size(), 8U);
  const LightCurve curve = merged(quarters);
  EXPECT_EQ(curve.name, "KIC 11446443");
  const Found found = search(curve, {.min_period = 1, .max_period = 10, .oversampling = 2});
  EXPECT_NEAR(found.period, 2.4706, 0.001);
  EXPECT_GT(found.efficiency, 20);
}

TEST(RealStars, TrES2InEachQuarterAlone) {
  SKIP_WITHOUT_REAL_LIGHT_CURVES();
  for (const LightCurve& quarter : tres2_quarters()) {
    // The first has ten days, hence four transits: its peak is as broad as a hundredth of the period.
    const Found found = search(quarter, coarse);
    EXPECT_EQ(compare(found.period, 2.4706), Agreement::same) << found.period << ", " << quarter.size() << " points";
  }
}

TEST(RealStars, K2_3) {
  SKIP_WITHOUT_REAL_LIGHT_CURVES();
  const LightCurve curve = read_clean(real_light_curves() / "EPIC201367065.csv");
  const Found found = search(curve, {});
  EXPECT_NEAR(found.period, 10.0546, 0.01);
  EXPECT_NEAR(found.box.depth, 0.0012, 0.0003);
  EXPECT_GT(found.efficiency, 8);
}

TEST(RealStars, PiMensae) {
  SKIP_WITHOUT_REAL_LIGHT_CURVES();
  const LightCurve curve = read_clean(real_light_curves() / "pimensatesslightcurve.csv");
  const Found found = search(curve, {});
  EXPECT_NEAR(found.period, 6.268, 0.02);
  EXPECT_NEAR(found.box.depth, 0.0003, 0.0001);
  EXPECT_EQ(compare(found.period, published_for(curve.name)->period), Agreement::same);
}

TEST(RealStars, DetrendedK2FilesAreRead) {
  SKIP_WITHOUT_REAL_LIGHT_CURVES();
  std::size_t read = 0;
  std::vector<std::string> errors;
  for (const auto& entry : std::filesystem::directory_iterator(real_light_curves())) {
    if (!entry.path().filename().string().starts_with("ktwo")) continue;
    try {
      EXPECT_GT(read_clean(entry.path()).size(), 2000U);
      ++read;
    } catch (const std::runtime_error& error) {
      errors.emplace_back(error.what());
    }
  }
  EXPECT_EQ(read, 23U);
  ASSERT_EQ(errors.size(), 1U);  // its corrected flux falls below zero
  EXPECT_NE(errors[0].find("ktwo210667985"), std::string::npos) << errors[0];
}

}  // namespace
}  // namespace transit
