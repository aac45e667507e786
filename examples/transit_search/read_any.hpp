#pragma once

#include "light_curve.hpp"

#include <string>

namespace transit {

/// Reads a light curve from a FITS or text file, told apart by content, not by name. Flux as in the file.
/// Throws std::runtime_error that names the file, what is wrong with it and what was expected.
LightCurve read_any(const std::string& file);

/// read_any, then cleaned: what the search takes.
LightCurve read_clean(const std::string& file);

}  // namespace transit
