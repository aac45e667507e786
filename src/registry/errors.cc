#include "registry/errors.hpp"

#include <cerrno>

namespace hotspare {
RegistryError::~RegistryError() = default;
}  // namespace hotspare

namespace hotspare::registry {

void throw_refused(const std::string& what, const os::Failure& failure) {
  if (failure.code == EFBIG)
    throw RegistryError(RegistryProblem::full, what + ": " + failure.text() + ". Raise that limit");
  if (failure.code == ENOSPC || failure.code == EDQUOT || failure.code == ENOMEM)
    throw RegistryError(RegistryProblem::full, what + ": there is not that much memory in /dev/shm (" + failure.text() +
                                                   "). `hotspare shm ls` shows what has it");
  throw RegistryError(RegistryProblem::refused, what + ": " + failure.text());
}

void throw_foreign(const std::string& path) {
  throw RegistryError(RegistryProblem::foreign,
                      path + " is no segment of hotspare, and is left as it is. Remove it, or take another name");
}

void throw_of_another_user(const std::string& path, std::uint32_t user) {
  throw RegistryError(RegistryProblem::foreign,
                      path + " belongs to user " + std::to_string(user) +
                          ", and segments are for processes of one user. It is left as it is: "
                          "take another name");
}

void throw_absent(const std::string& path) {
  throw RegistryError(RegistryProblem::absent,
                      "there is no segment " + path + ", or its last user is just leaving it. Create it");
}

}  // namespace hotspare::registry
