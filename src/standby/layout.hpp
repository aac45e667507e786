#pragma once

#include "worker/last_words.hpp"

#include <hotspare/detail/standby_core.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <pthread.h>
#include <span>

/// What the caller of a channel and its replicas share: three memfds. Killed at any point, nobody can poison the stream:
/// the host alone writes Blocks, each replica alone its Lane, and all that any of them can do to Bells is to wake somebody
/// for nothing, or to move the helm, which the caller moves back.
namespace hotspare::standby {

inline constexpr unsigned most_replicas = 8;
/// A dead replica's lane is used again when its memory is gone, which with 1 GB takes 0.1 s.
inline constexpr unsigned lanes_of(unsigned replicas) { return 2 * replicas + 2; }
inline constexpr unsigned most_lanes = lanes_of(most_replicas + 1);  // with the spare
/// Answers of a lane that are kept; the caller looks for the newest one only.
inline constexpr std::uint64_t answer_slots = 4;
inline constexpr std::size_t page = 4096;

constexpr std::size_t rounded(std::size_t size, std::size_t to) { return (size + to - 1) / to * to; }

/// How a replica begins.
enum class Plan : std::uint8_t {
  first_block,  ///< The history still holds all blocks, from the first on.
  now,          ///< Anew: there is no state, or it is lost.
  replay,       ///< With the last replay_blocks blocks.
  load,         ///< From a state that another replica saves for it.
  inherit,      ///< It is a fork of one that has the state.
};

/// Its plan, and with which block it begins if that is Plan::now. The host may change it until the replica takes it.
struct Begin {
  Plan plan = Plan::first_block;
  std::uint64_t base = 1;
  bool taken = false;

  constexpr std::uint64_t packed() const {
    return base << 16 | (taken ? std::uint64_t{1} << 8 : 0) | static_cast<std::uint64_t>(plan);
  }
  static constexpr Begin unpack(std::uint64_t bits) {
    return {static_cast<Plan>(bits & 0xFF), bits >> 16, (bits >> 8 & 1) != 0};
  }
};
inline constexpr std::uint64_t taken_begin = std::uint64_t{1} << 8;

/// What the host says of a block in which replicas died.
enum class Mark : std::uint8_t {
  none,
  held,     ///< Nobody begins it until it is known whether it is left out.
  left_out  ///< Nobody processes it: it is late, and all go on with the next one as if it had not been.
};
constexpr std::uint64_t pack_mark(std::uint64_t block, Mark mark) {
  return block << 8 | static_cast<std::uint64_t>(mark);
}
/// bits: of the block's place in the history, where they may still be an older one's.
constexpr Mark mark_of(std::uint64_t bits, std::uint64_t block) {
  return bits >> 8 == block ? static_cast<Mark>(bits & 0xFF) : Mark::none;
}

/// Fixed when the channel is made.
struct Geometry {
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t state_bytes = 0;
  std::uint64_t history = 0;  ///< Input blocks kept.
  std::uint64_t replay_blocks = 0;
  std::uint64_t commit_every = 0;  ///< 0: states are committed on order only.
  std::int64_t period_ns = 0;
  std::uint32_t lanes = 0;
  StandbyMode mode = StandbyMode::lockstep;
  bool flush_denormals = true;
  bool lock_memory = false;
  int realtime_priority = 0;  ///< Of replicas; 0: none.
  std::int64_t realtime_burst_us = 0;
  std::uint64_t arguments_bytes = 0;
  hotspare::detail::FunctionRef make;
};

/// Host → replicas, mapped read-only there. Blocks are numbered from 1.
struct Blocks {
  alignas(64) std::atomic<std::uint32_t> bell{0};     ///< Replicas that work sleep on it.
  alignas(64) std::atomic<std::uint64_t> newest{0};   ///< Block whose input is complete.
  alignas(64) std::atomic<std::uint32_t> awaited{0};  ///< Not 0: the caller sleeps on Bells::caller.
  Geometry geometry;
  // Behind it: a mark for each block of the history, arguments, then `history` inputs.
};

/// Rung and written by all.
struct Bells {
  alignas(64) std::atomic<std::uint32_t> caller{0};
  alignas(64) std::atomic<std::uint32_t> host{0};
  alignas(64) std::atomic<std::uint32_t> parked{
      0};  ///< Parked replicas sleep on it: the helm moved, a state was committed.
  alignas(64) std::atomic<std::uint64_t> helm{0};  ///< Who works (helm.hpp); not in lockstep.
};

enum class Phase : std::uint32_t {
  starting,
  needs_state,
  catching_up,
  spare,  ///< It has caught up, and is the spare.
  in_step,
};
enum class Order : std::uint32_t { none, leave, save, fork };

/// Whether a replica is to come into step. From spare to regular the host moves it, from spare to left_behind the replica:
/// whoever is first.
enum class Part : std::uint32_t {
  regular,
  spare,       ///< It follows, and nobody waits for it.
  left_behind  ///< It had no time to, and leaves.
};

/// A state that its replica committed.
struct StateAt {
  std::uint64_t block = 0;  ///< The state after this block,
  std::uint64_t size = 0;   ///< of so many bytes,
  std::uint64_t sum = 0;    ///< and their checksum: what went astray in a dying replica's memory is no state.
};

constexpr std::uint64_t pack_order(std::uint64_t ticket, Order order) {
  return ticket << 8 | static_cast<std::uint64_t>(order);
}
constexpr Order order_of(std::uint64_t bits) { return static_cast<Order>(bits & 0xFF); }

inline constexpr std::uint64_t lane_seal = 0x6f74'7370'6172'6573;

/// One replica's. The host writes order, begin and strike, the replica all else; both of them source and part. Others may look.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): each line of the cache has one writer
struct Lane {
  /// Held by the replica's main thread all its life, marked by the kernel first thing in its death. Two, because the kernel
  /// wakes one waiter of each: the host listens to the first, a parked replica to the second.
  pthread_mutex_t life_for_host;
  pthread_mutex_t life_for_parked;

  alignas(64) std::atomic<std::uint64_t> answered{0};  ///< Newest block whose answer is complete.
  alignas(64) std::atomic<std::uint64_t> begun{0};     ///< Block that it began last; 0: none is to blame for its death.
  std::atomic<std::uint64_t> seal{lane_seal};          ///< Of a lane that was not overwritten as a whole.
  std::atomic<std::uint64_t> done{0};                  ///< Its state is that after this block.
  std::atomic<Phase> phase{Phase::starting};
  std::atomic<std::int32_t> pid{0};           ///< Of an heir, whom nobody knows yet.
  std::atomic<std::uint64_t> seen_term{0};    ///< Helm's, that it knows of.
  std::atomic<std::uint32_t> lost_state{0};   ///< Times that it took over without the state.
  std::atomic<std::uint32_t> threads{0};      ///< That it had when it came into step.
  std::atomic<std::uint32_t> refused{0};      ///< Of the real-time hygiene: bits of os::Hygiene.
  std::atomic<std::uint64_t> fork_failed{0};  ///< Ticket of an order to fork that could not be obeyed.

  std::atomic<std::uint64_t> saves_refused{0};  ///< Times that its state could not be saved,
  char save_refusal[256] = {};                  ///< and why the last one: cut, zero-terminated.

  std::atomic<std::uint64_t> committed{0};  ///< States committed; the last one is in states[committed % 2].
  StateAt states[2];

  /// Host → replica: pack_order(ticket, what).
  alignas(64) std::atomic<std::uint64_t> order{0};
  /// Host → replica in Phase::needs_state: 1 + the lane whose last committed state it is to load; 0: none yet.
  std::atomic<std::uint32_t> source{0};
  std::atomic<std::uint64_t> begin{0};  ///< Host → replica: Begin.
  std::atomic<Part> part{Part::regular};
  /// Host → replica: 1 + the way (chaos::How) in which it is to die in its next block; 0: it is not.
  std::atomic<std::uint32_t> strike{0};

  alignas(64) worker::LastWords last_words;
  // Behind it: answer_slots answers, two states.

  std::atomic<std::uint32_t>& host_word() { return *reinterpret_cast<std::atomic<std::uint32_t>*>(&life_for_host); }
  std::atomic<std::uint32_t>& parked_word() { return *reinterpret_cast<std::atomic<std::uint32_t>*>(&life_for_parked); }
  const std::atomic<std::uint32_t>& parked_word() const {
    return *reinterpret_cast<const std::atomic<std::uint32_t>*>(&life_for_parked);
  }
};

/// Where things lie in the three memfds.
class Layout {
 public:
  explicit Layout(const Geometry& geometry) : geometry_(geometry) {}

  std::size_t blocks_bytes() const { return rounded(inputs_at() + geometry_.history * input_stride(), page); }
  std::size_t mark_at(std::uint64_t block) const {
    return marks_at() + block % geometry_.history * sizeof(std::uint64_t);
  }
  std::size_t arguments_at() const { return rounded(marks_at() + geometry_.history * sizeof(std::uint64_t), 64); }
  std::size_t input_at(std::uint64_t block) const { return inputs_at() + block % geometry_.history * input_stride(); }

  std::size_t lane_bytes() const { return rounded(states_at() + 2 * rounded(geometry_.state_bytes, 64), page); }
  /// Without the states.
  std::size_t lane_head_bytes() const { return states_at(); }
  std::size_t lane_at(unsigned lane) const { return lane * lane_bytes(); }
  std::size_t lanes_bytes() const { return geometry_.lanes * lane_bytes(); }
  /// In the lane.
  std::size_t answer_at(std::uint64_t block) const { return answers_at() + block % answer_slots * answer_stride(); }
  std::size_t state_at(std::uint64_t index) const {
    return states_at() + index % 2 * rounded(geometry_.state_bytes, 64);
  }

 private:
  std::size_t marks_at() const { return rounded(sizeof(Blocks), 64); }
  std::size_t inputs_at() const { return rounded(arguments_at() + geometry_.arguments_bytes, page); }
  std::size_t input_stride() const { return rounded(geometry_.bytes_in, 64); }
  std::size_t answers_at() const { return rounded(sizeof(Lane), page); }
  std::size_t answer_stride() const { return rounded(geometry_.bytes_out, 64); }
  std::size_t states_at() const { return answers_at() + answer_slots * answer_stride(); }

  Geometry geometry_;
};

}  // namespace hotspare::standby
