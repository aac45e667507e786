#pragma once

#include <string>

namespace hotspare::worker {

/// The lines of /proc/self/maps that hold code: what an address needs to be understood elsewhere.
std::string executable_maps();

}  // namespace hotspare::worker
