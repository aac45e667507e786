#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace transit {

/// Brightness of one star over time. Times ascend once the curve is clean; both vectors have one length.
struct LightCurve {
  std::string name;          ///< "KIC 11446443", "EPIC 201367065", else what the file is called.
  std::vector<double> time;  ///< Days, of whatever zero point the file has (BKJD, BTJD).
  std::vector<double> flux;  ///< Any unit as read; around 1 once the curve is clean.

  std::size_t size() const { return time.size(); }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(name, time, flux);
  }
};

/// The star that a file name speaks of: "EPIC201367065.csv" and "ktwo201367065-c01_llc.fits" are
/// "EPIC 201367065", "kplr011446443-…" is "KIC 11446443"; any other name is taken without its suffix.
std::string star_of_file(std::string_view file_name);

/// Puts the curves of one star (quarters, campaigns) into one, in order of time. A time that occurs
/// twice is kept once, so that a file given twice changes nothing. Takes the name of the first.
LightCurve merged(const std::vector<LightCurve>& curves);

}  // namespace transit
