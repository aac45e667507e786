#pragma once

#include "metrics/registry.hpp"

#include <string>

namespace hotspare::metrics {

/// OpenMetrics text 1.0.
std::string openmetrics_of(const Totals& totals);

}  // namespace hotspare::metrics
