#include "standby/core.hpp"

#include "os/check.hpp"
#include "os/clock.hpp"
#include "os/realtime.hpp"

#include <hotspare/error.hpp>

#include <algorithm>
#include <string>

/// Making a channel: what its options mean, and what is wrong with them.
namespace hotspare::detail {
namespace {

using namespace std::chrono_literals;
using standby::Geometry;

constexpr std::size_t most_bytes = std::size_t{16} << 20;
constexpr std::size_t most_state = std::size_t{1} << 30;

void require(bool holds, const char* otherwise) {
  if (!holds) throw Error(std::string("StandbyOptions::") + otherwise);
}

StandbyOptions checked(StandbyOptions options, const BodyKind& kind) {
  require(options.bytes_in <= most_bytes, "bytes_in must be at most 16 MiB");
  require(options.bytes_out >= 1 && options.bytes_out <= most_bytes, "bytes_out must be 1 to 16 MiB");
  require(options.period >= 50us && options.period <= 10s, "period must be 50 us to 10 s");
  require(options.replicas >= 1 && options.replicas <= standby::most_replicas, "replicas must be 1 to 8");
  require(options.state_bytes <= most_state, "state_bytes must be at most 1 GiB");
  require(options.realtime_priority == 0 || (options.realtime_priority >= 4 && options.realtime_priority <= 99),
          "realtime_priority must be 0 (none) or 4 to 99");
  require(options.breaker_deaths >= 1, "breaker_deaths must be at least 1");
  require(options.deaths_within > 0ns, "deaths_within must be more than 0");
  require(options.hang_after >= 0ns && options.patience >= 0ns, "hang_after and patience must not be negative");
  for (std::chrono::nanoseconds* each : {&options.hang_after, &options.patience, &options.deaths_within})
    *each = std::chrono::nanoseconds(os::bounded_ns(*each));
  require(!options.spare.value_or(false) || options.mode == StandbyMode::lockstep,
          "spare: only in lockstep; in the other modes all replicas but one are spares already");
  options.spare = standby::keeps_spare(options.spare, options.mode, options.realtime_priority);
  options.rejoin = standby::resolve(options.rejoin, kind.can_save, options.replay_blocks);
  require(options.rejoin != Rejoin::saved || kind.can_save, "rejoin: saved needs a processor with save and load");
  require(options.rejoin != Rejoin::replayed || options.replay_blocks > 0, "rejoin: replayed needs replay_blocks");
  if (options.mode == StandbyMode::replay) {
    require(options.rejoin != Rejoin::forked,
            "mode: replay needs a processor with save and load, or replay_blocks: who is parked cannot fork who works");
    require(options.commit_every >= 1, "commit_every must be at least 1");
  }
  if (options.history == 0)
    options.history = static_cast<unsigned>(std::clamp<std::int64_t>(2s / options.period, 64, 4096));
  require(options.history >= 16 && options.history <= 65536, "history must be 0 (by itself) or 16 to 65536");
  require(options.history >= 4 * std::uint64_t{options.replay_blocks}, "history must be at least 4 * replay_blocks");
  require(options.mode != StandbyMode::replay || options.history >= 4 * std::uint64_t{options.commit_every},
          "history must be at least 4 * commit_every");
  const auto least = options.realtime_priority > 0 ? 50ms : 500ms;
  if (options.hang_after == 0ns) options.hang_after = std::max<std::chrono::nanoseconds>(20 * options.period, least);
  if (options.patience == 0ns) options.patience = options.period / 2;
  return options;
}

Geometry geometry_of(const StandbyOptions& options, const BodyKind& kind, std::size_t arguments) {
  Geometry geometry;
  geometry.bytes_in = options.bytes_in;
  geometry.bytes_out = options.bytes_out;
  geometry.state_bytes = options.rejoin == Rejoin::saved ? options.state_bytes : 0;
  geometry.history = options.history;
  geometry.replay_blocks = options.replay_blocks;
  const bool commits = options.mode == StandbyMode::replay && options.rejoin == Rejoin::saved;
  geometry.commit_every = commits ? options.commit_every : 0;
  geometry.period_ns = options.period.count();
  geometry.lanes = standby::lanes_of(options.replicas + (*options.spare ? 1 : 0));
  geometry.mode = options.mode;
  geometry.flush_denormals = options.flush_denormals;
  geometry.lock_memory = options.lock_memory;
  geometry.realtime_priority = options.realtime_priority > 0 ? options.realtime_priority - 2 : 0;
  geometry.realtime_burst_us = 2 * std::chrono::duration_cast<std::chrono::microseconds>(options.hang_after).count();
  geometry.arguments_bytes = arguments;
  geometry.make = kind.make;
  return geometry;
}

}  // namespace

StandbyCore::StandbyCore(StandbyOptions options, const BodyKind& kind, std::vector<std::byte> arguments)
    : options_(checked(std::move(options), kind)),
      host_mark_(os::or_throw(os::Mapping::wiped_on_fork(), "a standby channel cannot be made")),
      shared_(geometry_of(options_, kind, arguments.size()), arguments, options_.lock_memory),
      patience_ns_(options_.patience.count()) {
  *host_mark_.as<bool>() = true;
  if (options_.when_late == WhenLate::repeat) last_answer_.resize(options_.bytes_out);
  crew_ = std::make_unique<standby::Crew>(options_, shared_);
  // Before: replicas may die of what they are to do while the channel is being made, and these count, too.
  registration_.open(options_.name, [this] { return stats(); });
  crew_->start();
  // What starts threads comes after the forks that want this process to have one.
  if (!shared_.not_locked().empty())
    crew_->tell_unavailable("the channel's own memory is not locked (" + shared_.not_locked() +
                            "): a block may wait for a page from the disk");
  if (options_.keep_cores_awake) keep_cores_awake();
}

void StandbyCore::must_be_host(const char* call) const {
  if (!in_host())
    throw Error(std::string("StandbyChannel::") + call +
                ": this process is a fork of the one that made the channel \"" + options_.name +
                "\": it needs a channel of its own");
}

void StandbyCore::close() {
  if (!in_host()) return;
  crew_->close();
  awake_ = os::AwakeCores();
}

void StandbyCore::keep_cores_awake() {
  auto awake = os::AwakeCores::make();
  if (!awake)
    return crew_->tell_unavailable("cores may sleep deeply (" + awake.failure().text() +
                                   "): each wake takes 50 us longer, and in a virtual machine some take milliseconds");
  awake_ = std::move(*awake);
  if (awake_.spins())
    crew_->tell_unavailable(
        "how deeply the cores of this (virtual) machine sleep is not up to its kernel: threads of idle priority spin "
        "on "
        "them instead. That shows as load, and programs of other sessions or containers share the cores with them");
}

/// The registration goes when nobody is left who could count.
StandbyCore::~StandbyCore() { crew_->close(); }

StandbyStats StandbyCore::stats() const {
  StandbyStats stats = crew_->stats();
  stats.answered = answered_.load(std::memory_order_relaxed);
  stats.late = late_.load(std::memory_order_relaxed);
  stats.blocks = stats.answered + stats.late;
  stats.handovers = handovers_.load(std::memory_order_relaxed);
  stats.latency = latency_.copy();
  return stats;
}

std::shared_ptr<StandbyCore> open_channel(StandbyOptions options, const BodyKind& kind,
                                          std::vector<std::byte> arguments) {
  auto core = std::make_unique<StandbyCore>(std::move(options), kind, std::move(arguments));
  // In a fork its threads are not there, nor is its memory: nothing of it is ours to end.
  return {core.release(), [](StandbyCore* last) {
            if (last->in_host()) delete last;
          }};
}

void close_channel(StandbyCore& core) { core.close(); }

BlockOutcome process_block(StandbyCore& core, std::span<const std::byte> in, std::span<std::byte> out,
                           std::chrono::steady_clock::time_point deadline) {
  return core.process(in, out, os::bounded_instant(deadline));
}

std::chrono::nanoseconds period_of(const StandbyCore& core) noexcept { return core.period(); }
StandbyStats stats_of(const StandbyCore& core) {
  core.must_be_host("stats");
  return core.stats();
}
std::vector<std::int64_t> replica_pids(const StandbyCore& core) { return core.crew("replica_pids").pids(); }
bool wait_in_step(const StandbyCore& core, unsigned replicas) {
  return core.crew("wait_in_step").wait_in_step(replicas);
}
std::int64_t strike_replica(StandbyCore& core, chaos::How how) { return core.crew("strike").strike(how); }
std::string why_broken(const StandbyCore& core) { return core.crew("broken").broken(); }

ReplicaBody::~ReplicaBody() = default;
std::size_t ReplicaBody::save(std::span<std::byte>) { throw Error("this processor has no save()"); }
void ReplicaBody::load(std::span<const std::byte>) { throw Error("this processor has no load()"); }
void ReplicaBody::inherited() {}

}  // namespace hotspare::detail
