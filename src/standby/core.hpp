#pragma once

#include "metrics/recorder.hpp"
#include "metrics/registry.hpp"
#include "os/awake_cores.hpp"
#include "os/closed_streams.hpp"
#include "os/memory.hpp"
#include "standby/crew.hpp"
#include "standby/decide.hpp"
#include "standby/shared.hpp"

#include <hotspare/detail/standby_core.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace hotspare::detail {

/// A channel: the caller's side, which is all in here and never waits for the rest, and the crew, which keeps replicas there.
class StandbyCore {
 public:
  StandbyCore(StandbyOptions options, const BodyKind& kind, std::vector<std::byte> arguments);
  ~StandbyCore();
  StandbyCore(const StandbyCore&) = delete;
  StandbyCore& operator=(const StandbyCore&) = delete;

  BlockOutcome process(std::span<const std::byte> in, std::span<std::byte> out, std::int64_t deadline_ns);
  std::chrono::nanoseconds period() const noexcept { return options_.period; }
  StandbyStats stats() const;
  void close();
  /// For this call of the user's. Throws Error in a fork of the host.
  standby::Crew& crew(const char* call) const {
    must_be_host(call);
    return *crew_;
  }
  bool in_host() const noexcept { return *host_mark_.as<const bool>(); }
  /// Throws Error otherwise.
  void must_be_host(const char* call) const;

 private:
  static constexpr unsigned none = ~0u;

  std::uint64_t post(std::span<const std::byte> in) noexcept;
  unsigned find_answer(std::uint64_t block) const noexcept;
  unsigned find_who_answers(std::uint64_t block, std::int64_t begun, std::int64_t deadline_ns,
                            std::exception_ptr& interrupted) noexcept;
  bool copy_answer(unsigned lane, std::uint64_t block, std::span<std::byte> out) const noexcept;
  bool nobody_will_answer(std::uint64_t block) const noexcept;
  unsigned await_answer(std::uint64_t block, std::int64_t until_ns, std::exception_ptr& interrupted) noexcept;
  void hand_over() noexcept;
  void stand_in(std::span<const std::byte> in, std::span<std::byte> out) const noexcept;
  void keep_cores_awake();
  void look_for_hangs(std::uint64_t block, std::int64_t now) noexcept;

  const StandbyOptions options_;
  const os::ClosedStreams closed_streams_;  ///< Before the first of the channel's own descriptors.
  os::Mapping host_mark_;                   ///< A bool: true, and in a fork of this process false.
  standby::Shared shared_;
  const std::int64_t patience_ns_;
  std::uint64_t newest_ = 0;
  std::vector<std::byte> last_answer_;  ///< For WhenLate::repeat.
  os::AwakeCores awake_;

  // One writer, the caller; others look.
  std::atomic<std::uint64_t> answered_{0};
  std::atomic<std::uint64_t> late_{0};
  std::atomic<std::uint64_t> handovers_{0};
  metrics::Recorder latency_;

  std::unique_ptr<standby::Crew> crew_;
  metrics::Registration<StandbyStats> registration_;  ///< Last: it looks at all of the above until it goes.
};

}  // namespace hotspare::detail
