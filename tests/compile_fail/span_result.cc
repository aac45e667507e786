#include <hotspare/hotspare.hpp>

#include <span>
#include <vector>

void refused(hotspare::Pool& pool) {
  pool.submit(
      [](int size) {
        static std::vector<int> values;
        values.resize(static_cast<std::size_t>(size));
        return std::span(values);
      },
      3);
}
