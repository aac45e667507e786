#pragma once

#include "python.hpp"

#include <hotspare/event.hpp>

#include <functional>

namespace hotspare::python {

/// What hotspare.Event is made of, in that order. Needs the GIL.
nb::tuple event_arguments(const Event& event);
/// Tells Python of an event, on the engine's thread for that. The callable must live until that has ended.
std::function<void(const Event&)> event_callback(nb::handle callable);

}  // namespace hotspare::python
