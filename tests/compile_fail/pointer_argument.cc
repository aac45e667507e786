#include <hotspare/hotspare.hpp>

void refused(hotspare::Pool& pool) {
  int x = 1;
  pool.submit([](const int* p) { return *p; }, &x);
}
