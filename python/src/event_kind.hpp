#pragma once

#include <hotspare/event.hpp>

#include <array>
#include <cstddef>

namespace hotspare::python {

/// As Python knows it: hotspare.Event.kind.
inline const char* event_kind(const Event& event) {
  static constexpr std::array names = {"worker_ready", "death",         "takeover",   "refill",
                                       "retired",      "zygote_died",   "broken",     "retry",
                                       "host_run",     "host_run_ends", "unavailable"};
  static_assert(names.size() == static_cast<std::size_t>(Event::Kind::unavailable) + 1);
  return names.at(static_cast<std::size_t>(event.kind));
}

/// hotspare.Event.source.
inline const char* event_source(const Event& event) { return event.source == Event::Source::pool ? "pool" : "standby"; }

}  // namespace hotspare::python
