#pragma once

#include <hotspare/detail/standby_core.hpp>

namespace hotspare::python {

/// What makes a Python processor in a replica, from a pickle that hotspare._replica.Replica reads.
detail::BodyKind python_body_kind();

}  // namespace hotspare::python
