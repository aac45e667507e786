#pragma once

#include "shm/doorbell.hpp"
#include "shm/pace.hpp"
#include "shm/progress.hpp"
#include "shm/returned_leases.hpp"
#include "shm/slot_word.hpp"
#include "shm/stop_request.hpp"
#include "worker/last_words.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <pthread.h>

/// What one worker shares with the host, and with nobody else: killed at any point, it can poison nobody.
/// The host treats everything in it as written by an enemy: read once, check, then use.
namespace hotspare::shm {

inline constexpr std::size_t slot_count = 256;
inline constexpr std::size_t slot_bytes = 176;         ///< Payloads up to this size lie in the slot itself,
inline constexpr std::size_t box_bytes = 256 * 1024;   ///< up to box_payload in a box beside the slots,
inline constexpr std::size_t box_payload = 64 * 1024;  ///< and larger ones in a segment of their own.

/// Where a payload lies.
enum class Place : std::uint8_t { slot, box, segment };
/// How the worker says that an attempt ended. Anything else is a protocol error.
enum class Ended : std::uint8_t { none, value, raised };

struct PayloadAt {
  std::uint64_t at = 0;    ///< Place::box: offset in the box. Place::segment: the segment's id.
  std::uint64_t size = 0;  ///< Bytes.
  Place place = Place::slot;
};

/// One task on its way through the worker. The host writes all before it stores {ticket, queued} with release;
/// the worker writes the result before it commits {ticket, done} with release.
struct alignas(64) TaskSlot {
  std::atomic<std::uint64_t> word{0};
  std::uint64_t entry_module = 0;
  std::uint64_t entry_offset = 0;
  std::uint64_t memory_limit = 0;         ///< Bytes; 0: none.
  PayloadAt arguments;                    ///< Of the result after the commit.
  std::atomic<std::int64_t> begun_at{0};  ///< CLOCK_MONOTONIC, ns; only if timed.
  Ended ended = Ended::none;
  bool timed = false;
  std::uint16_t attempt = 0;      ///< Attempts of the task that have failed before this one.
  std::uint32_t attachments = 0;  ///< Segment ids (8 bytes each) behind the result's bytes.
  std::uint64_t box_end = 0;      ///< Result in the box: position up to which the host may free it.
  alignas(16) std::byte bytes[slot_bytes];
};

static_assert(sizeof(TaskSlot) == 256);

/// Worker → host: what the running task has finished of its many results (hotspare/detail/parts.hpp). One place is valid
/// while the other is being prepared. Read when the worker is dead.
struct Parts {
  std::atomic<std::uint64_t> ticket{0};    ///< Whose they are; 0: nobody's.
  std::atomic<std::uint64_t> finished{0};  ///< pack_parts(place, bytes).
  PayloadAt place[2];                      ///< The size is not used.
};
constexpr std::uint64_t pack_parts(unsigned place, std::uint64_t bytes) { return std::uint64_t{place} << 63 | bytes; }
constexpr unsigned parts_place(std::uint64_t packed) { return static_cast<unsigned>(packed >> 63); }
constexpr std::uint64_t parts_bytes(std::uint64_t packed) { return packed & ~(std::uint64_t{1} << 63); }

/// Worker → host: what it had in memory when its task with a memory limit began, bytes.
struct MemoryBefore {
  std::atomic<std::uint64_t> ticket{0};  ///< Whose begin that was; 0: nobody's. Stored last.
  std::atomic<std::uint64_t> anonymous{0};
  std::atomic<std::uint64_t> file_and_shared{0};
};

/// Host → worker: what the worker is to do when it has nothing to run.
enum class Order : std::uint32_t { work, leave };
/// Worker → host: how far it has come.
enum class Phase : std::uint32_t { starting, ready };

struct Channel {
  /// Held by the worker's main thread all its life: the kernel marks it and wakes its waiter the moment the process
  /// begins to die, long before its memory is gone. First, so that its futex word is at a known place.
  pthread_mutex_t life;

  alignas(64) Doorbell task_bell;  ///< Its main thread waits for a task, or an order.
  Doorbell outbox_bell;            ///< The same thread waits for room in the outbox.
  Doorbell lease_bell;             ///< One of its threads waits for a segment.
  std::atomic<Order> order{Order::work};
  std::atomic<std::uint32_t> read_segments{0};  ///< Host: its segment socket is full. Worker: 0 when it has read it.
  std::atomic<std::uint64_t> outbox_freed{0};   ///< Host: result bytes taken out so far.
  std::uint64_t recycle_above = 0;              ///< Host, before the worker starts: private memory, bytes; 0: no limit.

  alignas(64) std::atomic<Phase> phase{Phase::starting};
  std::atomic<std::uint32_t> used_up{0};        ///< Worker: is to be replaced when its task is done. It has more than
                                                ///< recycle_above, or has lost what is sent but once.
  std::atomic<std::uint32_t> pace{0};           ///< Worker: shm::Pace::told().
  std::atomic<std::uint64_t> lease_wanted{0};   ///< Worker: bytes; 0: none.
  std::atomic<std::uint64_t> lease_request{0};  ///< Worker: number of this request.

  alignas(64) std::atomic<std::uint64_t> lease_granted{0};  ///< Host: number of the request answered.
  std::uint64_t lease_segment = 0;                          ///< Host: segment id; 0: there is none.
  std::uint64_t lease_size = 0;                             ///< Bytes; if there is none, an errno: EDQUOT for
                                                            ///< most_leases_of_worker, EUSERS for most_leases.

  alignas(64) ReturnedLeases returned_leases;
  alignas(64) Parts parts;
  alignas(64) MemoryBefore memory_before;
  alignas(64) Progress progress;  ///< Of the running task.
  alignas(64) StopRequest stop;   ///< To the running task.
  alignas(64) worker::LastWords last_words;
  alignas(64) TaskSlot slots[slot_count];
  alignas(64) std::byte inbox[box_bytes];
  alignas(64) std::byte outbox[box_bytes];

  TaskSlot& slot(std::uint64_t ticket) { return slots[ticket % slot_count]; }
  /// The futex word inside the robust mutex (glibc keeps it first; tests/kernel shows it).
  std::atomic<std::uint32_t>& life_word() { return *reinterpret_cast<std::atomic<std::uint32_t>*>(&life); }
};

}  // namespace hotspare::shm
