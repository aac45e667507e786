#include "registry/errors.hpp"

#include <cerrno>

namespace hotspare {
RegistryError::~RegistryError() = default;
}  // namespace hotspare

namespace hotspare::registry {

void throw_refused(const std::string& what, const os::Failure& failure) {
  if (failure.code == ENOSPC || failure.code == EFBIG || failure.code == EDQUOT || failure.code == ENOMEM)
    throw RegistryError(RegistryProblem::full, what + ": there is not that much memory in /dev/shm (" + failure.text() +
                                                   "). `hotspare shm ls` shows what has it");
  throw RegistryError(RegistryProblem::refused, what + ": " + failure.text());
}

void throw_foreign(const std::string& path) {
  throw RegistryError(RegistryProblem::foreign,
                      path + " is no segment of hotspare, and is left as it is. Remove it, or take another name");
}

void throw_absent(const std::string& path) {
  throw RegistryError(RegistryProblem::absent,
                      "there is no segment " + path + ", or its last user is just leaving it. Create it");
}

}  // namespace hotspare::registry
