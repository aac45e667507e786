#include "supervisor/engine.hpp"

#include <hotspare/detail/parts.hpp>
#include <hotspare/error.hpp>

/// What a dead worker's task had finished of its many results.
namespace hotspare::detail {
namespace {

/// The ids of all segments that the parts refer to. Throws PayloadError.
std::vector<std::byte> attachments_of(std::span<const std::byte> parts) {
  std::vector<std::byte> ids;
  for (PartsReader reader(parts); !reader.at_end();) {
    const Part part = reader.next();
    ids.insert(ids.end(), part.attachments.begin(), part.attachments.end());
  }
  return ids;
}

}  // namespace

/// It becomes the victim's payload, if there is any. The worker is dead, so nobody writes there any more; but who died
/// there may have written anything: what makes no sense is as if it were not there.
void Engine::salvage(Worker& worker, Task& victim) {
  const shm::Parts& parts = worker.channel().parts;
  // SYNC POINT parts: released by PartWriter::publish.
  if (parts.ticket.load(std::memory_order_acquire) != victim.ticket) return;
  const std::uint64_t finished = parts.finished.load(std::memory_order_acquire);
  shm::PayloadAt at = parts.place[shm::parts_place(finished)];
  at.size = shm::parts_bytes(finished);
  if (at.size == 0 || at.place == shm::Place::slot) return;
  const char* nonsense = nullptr;
  if (!take_payload(worker, at, 0, victim, nonsense)) return;
  victim.extra().salvaged = true;
  try {
    const std::vector<std::byte> ids = attachments_of(victim.payload.bytes());
    if (take_attachments(worker, ids, victim, nonsense)) return;
  } catch (const PayloadError&) {
  }
  victim.extra().salvaged = false;
  victim.payload.clear();
}

}  // namespace hotspare::detail
