#pragma once

#include "os/result.hpp"

#include <hotspare/journal.hpp>

#include <string>

namespace hotspare::journal {

/// Says that the system refused something; a full disk is told apart.
[[noreturn]] void throw_refused(const std::string& path, const std::string& what, const os::Failure& failure);

template <class T>
T or_refused(os::Result<T> result, const std::string& path, const std::string& what) {
  if (!result) throw_refused(path, what, result.failure());
  return std::move(*result);
}

/// Whether this errno means that there is no room.
bool no_room(int code) noexcept;

/// What to do about a full disk.
std::string full_text(const std::string& path, const std::string& detail);

}  // namespace hotspare::journal
