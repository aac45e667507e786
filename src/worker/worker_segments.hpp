#pragma once

#include "shm/segment.hpp"

namespace hotspare::worker {

/// In a worker: a writable segment lent by the host. Elsewhere: null.
detail::SegmentRef lease_segment(std::size_t size);

}  // namespace hotspare::worker
