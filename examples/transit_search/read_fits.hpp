#pragma once

#include "light_curve.hpp"

#include <filesystem>

namespace transit {

/// Reads the light-curve table of a Kepler, K2 or TESS FITS file: the first binary table that has a column
/// TIME and one of PDCSAP_FLUX, SAP_FLUX. Points whose QUALITY or SAP_QUALITY has any bit set are left out.
/// The star is OBJECT, else KEPLERID or TICID, else the file's name. Throws read_error.
LightCurve read_fits(const std::filesystem::path& file);

}  // namespace transit
