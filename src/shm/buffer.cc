#include "shm/no_memory.hpp"
#include "shm/segment.hpp"
#include "worker/worker_segments.hpp"

#include <hotspare/buffer.hpp>

namespace hotspare {

Buffer Buffer::make(std::size_t bytes) {
  if (detail::SegmentRef leased = worker::lease_segment(bytes); leased != nullptr)
    return detail::to_buffer(std::move(leased), bytes);
  auto fresh = detail::make_standalone_segment(bytes, detail::Descriptor::when_few);
  if (!fresh) throw shm::NoMemory(fresh.failure());
  return detail::to_buffer(std::move(*fresh), bytes);
}

}  // namespace hotspare
