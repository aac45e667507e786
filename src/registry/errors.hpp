#pragma once

#include "os/result.hpp"

#include <hotspare/shared_registry.hpp>

#include <string>

namespace hotspare::registry {

/// what: "the segment a.b cannot be created". Tells a full /dev/shm apart.
[[noreturn]] void throw_refused(const std::string& what, const os::Failure& failure);

template <class T>
T or_refused(os::Result<T> result, const std::string& what) {
  if (!result) throw_refused(what, result.failure());
  return std::move(*result);
}

[[noreturn]] void throw_foreign(const std::string& path);
/// It is another user's, who could cut it under us at any time.
[[noreturn]] void throw_of_another_user(const std::string& path, std::uint32_t user);
[[noreturn]] void throw_absent(const std::string& path);

}  // namespace hotspare::registry
