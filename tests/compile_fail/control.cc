#include <hotspare/hotspare.hpp>

#include <array>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace {
double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}
struct Star {
  std::string name;
  double magnitude = 0;
  template <class Archive>
  void serialize(Archive& ar) {
    ar(name, magnitude);
  }
};
struct Point {
  int id;
  double at[3];
  std::array<float, 2> size;
};
struct Shift {
  Point by;
  double operator()(Point point) const { return point.at[0] + by.at[0]; }
};
}  // namespace

// All that the refused snippets look for, in the way that is allowed.
void control(hotspare::Pool& pool) {
  const std::string prefix = "HD ";
  const std::vector<double> values{1, 2, 3};
  pool.submit(mean, std::span(values));
  pool.submit([](const std::string& a, int number) { return a + std::to_string(number); }, prefix, 1);
  const auto size = [](const std::vector<double>& all) { return all.size(); };
  const auto key = [](const std::vector<double>& all) { return all.size(); };
  pool.submit(hotspare::chaos::wrap(size, {.rate = 1}, key), values);
  pool.submit([offset = 2](int x) { return x + offset; }, 1);
  pool.submit(
      {.memory_limit = 1 << 20}, [](Star star) { return star; }, Star{"Vega", 0.03});
  pool.submit(Shift{{1, {1, 2, 3}, {}}}, Point{2, {4, 5, 6}, {}});
  pool.submit([inherited = hotspare::inherited(&values)] { return inherited->size(); });
  for (const double root : pool.map([](double x) { return x * x; }, values)) static_cast<void>(root);
}
