#pragma once

#include <string>

namespace hotspare::os {

/// Whether a line of /dev/kmsg contains this text. False when this process may not read it.
bool kernel_log_contains(const std::string& text);

}  // namespace hotspare::os
