#include <hotspare/hotspare.hpp>

#include <vector>

void refused(hotspare::Pool& pool) {
  const std::vector<int> values{1, 2, 3};
  pool.map([](int) {}, values);
}
