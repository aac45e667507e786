#pragma once

#include <string>
#include <string_view>

namespace hotspare::metrics {

/// Text that may stand in UTF-8: what is none becomes U+FFFD.
std::string valid_utf8(std::string_view text);

}  // namespace hotspare::metrics
