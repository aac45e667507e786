#pragma once

#include <string>
#include <string_view>

namespace hotspare::death {

/// "SIGSEGV"; "SIGRTMIN+3" or "signal 99" for what has no name.
std::string signal_name(int signal);

/// What the kernel says of a fault, "address not mapped"; empty if `code` says nothing more than the signal.
std::string_view fault_reason(int signal, int code);

}  // namespace hotspare::death
