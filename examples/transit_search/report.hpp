#pragma once

#include "bls.hpp"
#include "light_curve.hpp"
#include "search.hpp"

#include <cstdint>
#include <optional>

namespace transit {

/// All that is known about one star's search at its end.
struct StarReport {
  const LightCurve& curve;
  const PeriodGrid& grid;
  std::size_t files = 0;
  std::optional<SearchResult> pool;  ///< None with --serial.
  double pool_seconds = 0;
  std::optional<BandResult> serial;  ///< None with --no-serial-check.
  double serial_seconds = 0;
  unsigned workers = 0;

  const BandResult& spectrum() const { return pool ? pool->merged : *serial; }
  /// Bands whose values are not the serial run's; only where there was one.
  std::uint64_t wrong() const;
  /// The merged spectrum and its best box are the serial run's, bit for bit.
  bool equals_serial() const;
  /// The published period, if there is one for this star, was found.
  bool period_agrees() const;
  bool good() const;
};

/// Writes it to stdout.
void print(const StarReport& report);

}  // namespace transit
