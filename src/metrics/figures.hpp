#pragma once

#include "metrics/families.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

/// How the figures of several pools, or channels, become those of all.
namespace hotspare::metrics {

inline void add(Histogram& into, const Histogram& from) {
  for (std::size_t i = 0; i < from.counts.size(); ++i) into.counts[i] += from.counts[i];
  into.max_ns = std::max(into.max_ns, from.max_ns);
  into.sum_ns += from.sum_ns;
}

inline void add_texts(Stats&, const Stats&) {}
inline void add_texts(StandbyStats& into, const StandbyStats& from) {
  for (const std::string& text : from.unavailable)
    if (std::find(into.unavailable.begin(), into.unavailable.end(), text) == into.unavailable.end())
      into.unavailable.push_back(text);
}

template <class S>
void add(S& into, const S& from) {
  for (const Family& family : families) {
    const auto member = member_of<S>(family).value;
    if (member == nullptr) continue;
    into.*member = family.shape == Shape::peak ? std::max(into.*member, from.*member) : into.*member + from.*member;
  }
  for (const HistogramFamily& family : histogram_families)
    if (const auto member = member_of<S>(family).value; member != nullptr) add(into.*member, from.*member);
  for (std::size_t i = 0; i < cause_count; ++i) into.deaths_by_cause[i] += from.deaths_by_cause[i];
  add_texts(into, from);
}

/// What stays of it when it is closed.
inline void forget_gauges(Stats& stats) {
  for (const Family& family : families)
    if (family.shape == Shape::gauge && family.pool.value != nullptr) stats.*family.pool.value = 0;
}
inline void forget_gauges(StandbyStats& stats) {
  for (const Family& family : families)
    if (family.shape == Shape::gauge && family.standby.value != nullptr) stats.*family.standby.value = 0;
  stats.unavailable.clear();
}

}  // namespace hotspare::metrics
