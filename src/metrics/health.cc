#include "metrics/openmetrics.hpp"
#include "metrics/registry.hpp"

#include <hotspare/health.hpp>

namespace hotspare {
namespace {

metrics::Totals totals() { return {metrics::registry().pools.totals(), metrics::registry().channels.totals()}; }

}  // namespace

Health health() {
  const metrics::Totals all = totals();
  Health health;
  for (const auto& [name, total] : all.pools) {
    health.pools_made += total.made;
    health.pools_open += total.open;
    metrics::add(health.pools, total.stats);
  }
  for (const auto& [name, total] : all.channels) {
    health.channels_made += total.made;
    health.channels_open += total.open;
    metrics::add(health.channels, total.stats);
  }
  return health;
}

std::string openmetrics() { return metrics::openmetrics_of(totals()); }

}  // namespace hotspare
