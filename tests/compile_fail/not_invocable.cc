#include <hotspare/hotspare.hpp>

#include <string>

void refused(hotspare::Pool& pool) {
  pool.submit([](int x) { return x; }, std::string("one"));
}
