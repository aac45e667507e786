#include <hotspare/hotspare.hpp>

namespace {
struct Scale {
  int times = 1;
  const double* by = nullptr;
  double operator()(double x) const { return times * x * *by; }
};
}  // namespace

void refused(hotspare::Pool& pool) {
  const double two = 2;
  pool.submit(Scale{1, &two}, 3.0);
}
