#include <hotspare/hotspare.hpp>

void refused(hotspare::Pool& pool) {
  pool.submit([](int x) { return new int(x); }, 1);
}
