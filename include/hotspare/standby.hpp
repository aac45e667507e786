#pragma once

#include <hotspare/detail/standby_body.hpp>
#include <hotspare/detail/standby_core.hpp>
#include <hotspare/standby_options.hpp>
#include <hotspare/standby_stats.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace hotspare {

/// A stream of small blocks, each with a deadline, processed by replicas that may die at any instant.
///
///     struct Gain {
///       explicit Gain(float factor);                                             // in the replica
///       void process(std::span<const std::byte> in, std::span<std::byte> out);   // one block
///       std::size_t save(std::span<std::byte> room) const;                       // both of these, or neither:
///       void load(std::span<const std::byte> state);                             // the state between two blocks
///     };
///     hotspare::StandbyChannel<Gain> channel({.bytes_in = 512, .bytes_out = 512, .period = 2667us}, 0.5f);
///     if (channel.process(in, out) == hotspare::BlockOutcome::late) ...
///
/// The processor is made in each replica, from arguments that travel as those of Pool::submit do. It must be deterministic:
/// two that were made alike and were given the same blocks are in the same state. An exception that leaves one of its
/// functions is a death of its replica; but a save() that throws, or returns more than StandbyOptions::state_bytes, is only told
/// (StandbyStats::unavailable): who needs that state is not replaced meanwhile.
///
/// Threads: process() from one thread at a time; everything else from any. In a fork of the process that made it each call
/// throws Error, and its destructor does nothing.
template <detail::BlockProcessor P>
class StandbyChannel {
 public:
  /// Returns when all replicas are ready. Throws Error: options out of range, the start method is not possible here, or the
  /// processor cannot be made (with the reason).
  template <class... A>
  explicit StandbyChannel(StandbyOptions options, const A&... arguments)
      : core_(detail::open_channel(std::move(options), detail::body_of<P, detail::CarriedT<A>...>(),
                                   detail::body_bytes(arguments...))) {}

  /// One block. in and out have the sizes of the options (else Error). Returns at the latest at the deadline (at once if it has passed), whatever the replicas do;
  /// what out holds then says StandbyOptions::when_late. Takes no lock, allocates nothing, faults no page.
  BlockOutcome process(std::span<const std::byte> in, std::span<std::byte> out,
                       std::chrono::steady_clock::time_point deadline) {
    return detail::process_block(*core_, in, out, deadline);
  }
  /// The same with a deadline one period from now.
  BlockOutcome process(std::span<const std::byte> in, std::span<std::byte> out) {
    return detail::process_block(*core_, in, out, std::chrono::steady_clock::now() + detail::period_of(*core_));
  }

  StandbyStats stats() const { return detail::stats_of(*core_); }
  /// Process ids of the replicas that are in step. For tests and tools.
  std::vector<std::int64_t> replica_pids() const { return detail::replica_pids(*core_); }
  /// Waits until so many replicas are in step; false when that will not be any more (see broken()). Throws Error for more than
  /// StandbyOptions::replicas.
  bool wait_in_step(unsigned replicas) const { return detail::wait_in_step(*core_, replicas); }
  /// To test what depends on it: a replica that is in step (each in turn; where one works, that one) dies in this way: of
  /// sigkill or stop at once, of the others in its next block. Returns its pid, 0 if there is none.
  std::int64_t strike(chaos::How how) { return detail::strike_replica(*core_, how); }
  /// Why no more replicas can be had; empty while all is well.
  std::string broken() const { return detail::why_broken(*core_); }
  /// For bindings to other languages: what hotspare/detail/standby_core.hpp works on.
  const std::shared_ptr<detail::StandbyCore>& core() const { return core_; }

 private:
  std::shared_ptr<detail::StandbyCore> core_;
};

}  // namespace hotspare
