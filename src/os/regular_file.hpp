#pragma once

#include "os/fd.hpp"

#include <string>

namespace hotspare::os {

/// Opens a file for reading if it is a regular one; empty if not. For paths that come from a process nobody trusts: a
/// pipe or a device would block or act.
Fd open_regular_file(const std::string& path);

}  // namespace hotspare::os
