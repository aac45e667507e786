#include <hotspare/hotspare.hpp>

#include <string_view>

namespace {
struct Name {
  int number;
  std::string_view text;
};
struct Star {
  double magnitude[2];
  Name names[3];
};
}  // namespace

void refused(hotspare::Pool& pool) {
  pool.submit([](int number) { return Star{{}, {{number, "Vega"}}}; }, 1);
}
