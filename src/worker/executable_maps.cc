#include "worker/executable_maps.hpp"

#include <fstream>

namespace hotspare::worker {

std::string executable_maps() {
  std::ifstream file("/proc/self/maps");
  std::string all;
  for (std::string line; std::getline(file, line);) {
    const std::size_t permissions = line.find(' ');
    if (permissions != std::string::npos && line.size() > permissions + 4 && line[permissions + 3] == 'x')
      all += line + "\n";
  }
  return all;
}

}  // namespace hotspare::worker
