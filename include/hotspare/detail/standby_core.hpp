#pragma once

#include <hotspare/chaos_how.hpp>
#include <hotspare/detail/task_ref.hpp>
#include <hotspare/export.hpp>
#include <hotspare/standby_options.hpp>
#include <hotspare/standby_stats.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace hotspare {

/// What became of a block.
enum class BlockOutcome : unsigned char { answered, late };

}  // namespace hotspare

/// The line between the templates of standby.hpp and the engine in the library.
namespace hotspare::detail {

/// What runs in a replica, whatever type the processor has.
class HOTSPARE_API ReplicaBody {
 public:
  virtual ~ReplicaBody();
  virtual void process(std::span<const std::byte> in, std::span<std::byte> out) = 0;
  /// Writes the state, returns its size; only if the body can save.
  virtual std::size_t save(std::span<std::byte> room);
  virtual void load(std::span<const std::byte> state);
  /// In an heir, first thing: it has all that the replica had which forked it, and must share nothing with it that is the
  /// process's own.
  virtual void inherited();
};
using MakeBody = std::unique_ptr<ReplicaBody> (*)(std::span<const std::byte> arguments);

/// The kind of a channel's processors: where the code is that makes one in a replica, and what they can.
struct BodyKind {
  FunctionRef make;  ///< Of a MakeBody.
  bool can_save = false;
};

class StandbyCore;

/// Throws Error. The channel closes when the last reference goes.
HOTSPARE_API std::shared_ptr<StandbyCore> open_channel(StandbyOptions options, const BodyKind& kind,
                                                       std::vector<std::byte> arguments);
/// Waits until nothing is left of its processes and threads; nobody may be in process_block(). Who waits in wait_in_step()
/// is told.
HOTSPARE_API void close_channel(StandbyCore& core);
/// Throws what the answer to an interruption of this thread's waits throws (Interruptible); the block is late then.
HOTSPARE_API BlockOutcome process_block(StandbyCore& core, std::span<const std::byte> in, std::span<std::byte> out,
                                        std::chrono::steady_clock::time_point deadline);
HOTSPARE_API std::chrono::nanoseconds period_of(const StandbyCore& core) noexcept;
HOTSPARE_API StandbyStats stats_of(const StandbyCore& core);
HOTSPARE_API std::vector<std::int64_t> replica_pids(const StandbyCore& core);
HOTSPARE_API bool wait_in_step(const StandbyCore& core, unsigned replicas);
HOTSPARE_API std::int64_t strike_replica(StandbyCore& core, chaos::How how);
HOTSPARE_API std::string why_broken(const StandbyCore& core);

}  // namespace hotspare::detail
