#include "shm/segment.hpp"
#include "worker/worker_segments.hpp"

#include <hotspare/buffer.hpp>

#include <new>

namespace hotspare {

Buffer Buffer::make(std::size_t bytes) {
  if (detail::SegmentRef leased = worker::lease_segment(bytes); leased != nullptr)
    return detail::to_buffer(std::move(leased), bytes);
  auto fresh = detail::make_standalone_segment(bytes);
  if (!fresh) throw std::bad_alloc();
  return detail::to_buffer(std::move(*fresh), bytes);
}

}  // namespace hotspare
