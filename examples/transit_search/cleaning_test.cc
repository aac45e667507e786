#include "cleaning.hpp"

#include "made_up_curve.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace transit {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

TEST(Cleaning, TakesOutSlowVariationAndKeepsTransits) {
  LightCurve curve = noise_with_box(40, 5, 0.15, 0.01, 1e-5);
  for (std::size_t i = 0; i < curve.size(); ++i) curve.flux[i] *= 5000 * (1 + 0.02 * std::sin(curve.time[i] / 3));
  const LightCurve clean = cleaned(curve);
  const auto [low, high] = std::minmax_element(clean.flux.begin(), clean.flux.end());
  EXPECT_NEAR(*low, 0.99, 0.002);
  EXPECT_LT(*high, 1.001 + 0.005);
}

TEST(Cleaning, TakesEachStretchByItself) {
  LightCurve curve = noise_with_box(40, 5, 0.15, 0, 1e-5);
  for (std::size_t i = curve.size() / 2; i < curve.size(); ++i) {  // another detector, after a pause
    curve.time[i] += 2;
    curve.flux[i] *= 1.5;
  }
  const LightCurve clean = cleaned(curve);
  for (const double flux : clean.flux) EXPECT_NEAR(flux, 1, 1e-3);
}

TEST(Cleaning, ClipsWhatIsTooBrightOnly) {
  LightCurve curve = noise_with_box(20, 5, 0.15, 0, 1e-4);
  curve.flux[100] = 1.1;
  curve.flux[200] = 0.9;
  const LightCurve clean = cleaned(curve);
  EXPECT_LT(*std::max_element(clean.flux.begin(), clean.flux.end()), 1.01);
  EXPECT_NEAR(*std::min_element(clean.flux.begin(), clean.flux.end()), 0.9, 0.001);
}

TEST(Cleaning, DropsWhatIsNoNumberAndSorts) {
  LightCurve curve = noise_with_box(20, 5, 0.15, 0, 1e-4);
  curve.flux[10] = nan;
  curve.time[11] = nan;
  curve.flux[12] = std::numeric_limits<double>::infinity();
  std::swap(curve.time[20], curve.time[30]);
  const LightCurve clean = cleaned(curve);
  EXPECT_LE(clean.size(), curve.size() - 3);
  EXPECT_TRUE(std::is_sorted(clean.time.begin(), clean.time.end()));
}

TEST(Cleaning, SaysWhatIsWrong) {
  LightCurve curve = noise_with_box(20, 5, 0.15, 0, 1e-4);
  EXPECT_THROW(cleaned({}), std::runtime_error);
  LightCurve negative = curve;
  for (double& flux : negative.flux) flux -= 2;
  EXPECT_THROW(cleaned(negative), std::runtime_error);
  LightCurve one_time = curve;
  std::fill(one_time.time.begin(), one_time.time.end(), 5.0);
  EXPECT_THROW(cleaned(one_time), std::runtime_error);
}

TEST(Merging, KeepsATimeOnceAndSorts) {
  const LightCurve later{"s", {3, 4, 5}, {1, 1, 1}};
  const LightCurve earlier{"s", {1, 2, 3}, {2, 2, 2}};
  const LightCurve all = merged({later, earlier});
  EXPECT_EQ(all.name, "s");
  EXPECT_EQ(all.time, (std::vector<double>{1, 2, 3, 4, 5}));
  EXPECT_EQ(merged({later, later}).time, later.time);
}

TEST(StarOfFile, KnowsTheNamesOfKeplerAndK2) {
  EXPECT_EQ(star_of_file("EPIC201367065.csv"), "EPIC 201367065");
  EXPECT_EQ(star_of_file("ktwo210359769-c04_detrended.dat"), "EPIC 210359769");
  EXPECT_EQ(star_of_file("kplr011446443-2009131105131_llc.fits"), "KIC 11446443");
  EXPECT_EQ(star_of_file("TIC 261136679.txt"), "TIC 261136679");
  EXPECT_EQ(star_of_file("epics.of.old.csv"), "epics.of.old");
  EXPECT_EQ(star_of_file(".csv"), ".csv");
  EXPECT_EQ(star_of_file(""), "");
}

}  // namespace
}  // namespace transit
