#include <hotspare/hotspare.hpp>

#include <string>

void refused(hotspare::Pool& pool) {
  const std::string prefix = "HD ";
  pool.submit([prefix](int number) { return prefix + std::to_string(number); }, 1);
}
