#pragma once

#include <cstdint>

/// The fence. Each task handed to a worker has one word that both sides change by compare-and-swap only, so that of
/// "begin", "recall", "commit" and "condemn" exactly one wins. A late result of a condemned worker loses here.
namespace hotspare::shm {

enum class SlotState : std::uint8_t {
  empty,      ///< Never used.
  queued,     ///< Host: written, may begin.
  running,    ///< Worker: has begun. From here on the attempt is charged to the worker.
  done,       ///< Worker: result committed.
  recalled,   ///< Host: taken back before it began; the worker skips it.
  condemned,  ///< Host: the running attempt no longer counts.
};

/// {ticket, state}. A ticket is never used twice in a channel's life, so a stale word can't be mistaken.
struct SlotWord {
  std::uint64_t ticket = 0;
  SlotState state = SlotState::empty;

  friend constexpr bool operator==(const SlotWord&, const SlotWord&) = default;
};

constexpr std::uint64_t pack(SlotWord word) { return word.ticket << 8 | static_cast<std::uint8_t>(word.state); }
constexpr SlotWord unpack(std::uint64_t bits) { return {bits >> 8, static_cast<SlotState>(bits & 0xFF)}; }

/// Whether the protocol knows this step. Who takes it: queued→running and running→done the worker, all else the host.
constexpr bool legal(SlotState from, SlotState to) {
  switch (from) {
    case SlotState::empty: return to == SlotState::queued;
    case SlotState::queued: return to == SlotState::running || to == SlotState::recalled;
    case SlotState::running: return to == SlotState::done || to == SlotState::condemned;
    case SlotState::done:
    case SlotState::recalled: return to == SlotState::queued;  // the slot used again, for a later ticket
    case SlotState::condemned: return false;                   // the channel dies with its worker
  }
  return false;
}

static_assert(unpack(pack({123456789, SlotState::done})) == SlotWord{123456789, SlotState::done});

}  // namespace hotspare::shm
