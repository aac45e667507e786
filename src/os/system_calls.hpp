#pragma once

#include <string_view>

namespace hotspare::os {

/// What a system call of this architecture is called; empty: these headers do not know it.
std::string_view system_call_name(int number) noexcept;

}  // namespace hotspare::os
