#pragma once

#include "light_curve.hpp"

#include <filesystem>
#include <istream>

namespace transit {

/// Reads a table of numbers: columns parted by commas, semicolons, tabs or blanks; '#' begins a comment;
/// a first line of words names the columns. Time is a column called time, t, date(s), bjd, bkjd, btjd or jd,
/// else the first; brightness is corrflux, pdcsap_flux, flux, rflux or sap_flux (in this order), else the second.
/// "nan" and empty fields are kept as NaN. Throws read_error.
LightCurve read_text(const std::filesystem::path& file);

/// The same from a stream; file is only for messages and the star's name.
LightCurve read_text(std::istream& in, const std::filesystem::path& file);

}  // namespace transit
