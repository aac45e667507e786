#include <hotspare/hotspare.hpp>

#include <string>

namespace {
struct Star {
  std::string name;
};
}  // namespace

void refused(hotspare::Pool& pool) {
  pool.submit([](const Star& star) { return star.name; }, Star{"Vega"});
}
