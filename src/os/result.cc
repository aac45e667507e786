#include "os/result.hpp"

#include <hotspare/error.hpp>

#include <cstring>

namespace hotspare::os {

std::string Failure::text() const {
  return call + ": " + std::strerror(code) + " (errno " + std::to_string(code) + ")";
}

void throw_failure(const Failure& failure, const char* what) { throw Error(std::string(what) + ": " + failure.text()); }

}  // namespace hotspare::os
