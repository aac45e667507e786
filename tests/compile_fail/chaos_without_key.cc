#include <hotspare/hotspare.hpp>

#include <vector>

void refused(hotspare::Pool& pool) {
  const auto size = [](const std::vector<int>& all) { return all.size(); };
  pool.submit(hotspare::chaos::wrap(size, {.rate = 1}), std::vector<int>{1});
}
