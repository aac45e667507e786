#include <hotspare/hotspare.hpp>

namespace {
struct Scale {
  int times;
  double& by;
  double operator()(double x) const { return times * x * by; }
};
}  // namespace

void refused(hotspare::Pool& pool) {
  double two = 2;
  pool.map(Scale{1, two}, std::vector<double>{3.0});
}
