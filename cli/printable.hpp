#pragma once

#include <string>
#include <string_view>

namespace hotspare::cli {

/// Text of strangers (names of files, programs, plug-ins) for a terminal, on one line: control characters, what turns the
/// direction of text, backslashes, and bytes that are no UTF-8 are written as \x1b and the like. Others stay.
std::string printable(std::string_view text);
/// The same, but lines stay lines.
std::string printable_lines(std::string_view text);

}  // namespace hotspare::cli
