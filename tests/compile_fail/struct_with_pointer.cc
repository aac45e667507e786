#include <hotspare/hotspare.hpp>

namespace {
struct Values {
  const double* data;
  int size;
};
double first(Values values) { return values.data[0]; }
}  // namespace

void refused(hotspare::Pool& pool) { pool.submit(first, Values{nullptr, 0}); }
