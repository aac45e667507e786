#pragma once

#include <hotspare/event.hpp>
#include <hotspare/options.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace hotspare {

/// Who processes a block.
enum class StandbyMode : unsigned char {
  lockstep,  ///< Every replica, each block; the caller takes the first answer. A death is invisible. Costs a core a replica.
  replay,    ///< One does. The others are parked with the last state it committed, and process again what came since.
  stateless  ///< One does; blocks do not depend on each other. The others are parked.
};

/// How a new replica comes to the state that the others have.
enum class Rejoin : unsigned char {
  automatic,  ///< saved, if the processor has save and load; else replayed, if replay_blocks is given; else forked.
  /// The spare, or where there is none a survivor, forks itself between two blocks. Exact; costs it a fork, proportional to
  /// its resident memory (0.1 ms small, 20 ms a GB in 4K pages). Not for a processor that has threads.
  forked,
  saved,    ///< A survivor's save() between two blocks, and load() in the new one.
  replayed  ///< A fresh processor processes the last replay_blocks blocks. Exact if no older block has an effect.
};

/// What the caller gets for a block that nobody answered by its deadline.
enum class WhenLate : unsigned char {
  silence,  ///< Zeros.
  repeat,   ///< The last answer once more.
  bypass    ///< The input, as far as it fits; zeros behind it.
};

struct StandbyOptions {
  std::size_t bytes_in = 0;            ///< Of each block; 0 to 16 MiB.
  std::size_t bytes_out = 0;           ///< Of each answer; 1 to 16 MiB.
  std::chrono::nanoseconds period{0};  ///< Between two blocks, at least 50 µs: the default deadline of a block.
  unsigned replicas = 2;               ///< 1 to 8.
  StandbyMode mode = StandbyMode::lockstep;
  /// Lockstep: one replica more, which processes every block too, but below the others and without anybody waiting for it.
  /// When a replica dies it takes its place, and it alone is forked for, or saves for, the next spare: those in step do
  /// nothing but blocks, so that no lock of the kernel that a fork may wait for can make one late. Costs the CPU time and the
  /// memory of one replica more. Unset: with real-time priorities. Not in the other modes, where all but one wait anyway.
  std::optional<bool> spare{};
  Rejoin rejoin = Rejoin::automatic;
  /// Blocks that have an effect on the next answer, if their number is bounded (a filter's length): for Rejoin::replayed.
  unsigned replay_blocks = 0;
  /// StandbyMode::replay with Rejoin::saved: a state is committed after so many blocks.
  unsigned commit_every = 16;
  /// The most that save() may write, bytes.
  std::size_t state_bytes = 64 * 1024;
  /// Blocks that are kept for those who have to catch up; 0: as many as 2 s hold, 64 to 4096.
  unsigned history = 0;
  WhenLate when_late = WhenLate::silence;
  /// A replica that has not answered a block for so long, while another one has (or for ten times as long while none has),
  /// hangs: its stack is taken and it is ended. Not while it only waits for a CPU. 0: 20 periods, at least 50 ms with
  /// real-time priorities and 500 ms without.
  std::chrono::nanoseconds hang_after{0};
  /// Modes replay and stateless: if the one that works has not answered after so long the next one is woken as well, and
  /// works from now on. 0: half of the period.
  std::chrono::nanoseconds patience{0};
  /// SCHED_FIFO priority of the thread that calls process(), which has to set it itself. The thread that hears of deaths
  /// gets one less, replicas two less, the supervisor three less, new replicas that have nearly caught up and the spare four
  /// less (or 1), new ones before that none. 0: no real-time scheduling. At least 4, at most 99.
  int realtime_priority = 0;
  /// The pages of replicas, and what the caller touches, stay in memory (mlock).
  bool lock_memory = false;
  /// No core sleeps deeper than it wakes in 0 µs (/dev/cpu_dma_latency): cuts each wake by two thirds, and costs power. In a
  /// virtual machine, where the kernel has no say in that, a thread of idle priority spins on each of up to 8 cores instead: cuts
  /// the latest wakes from milliseconds to 0.1 ms, shows as load, and programs of other sessions share the cores with it.
  bool keep_cores_awake = false;
  /// Denormal numbers count as zero in replicas (FTZ and DAZ): they make some filters a hundred times slower.
  bool flush_denormals = true;
  /// Deaths in a row of replicas that never came into step, after which no more are started.
  unsigned breaker_deaths = 5;
  /// If so many replicas die unexpectedly within deaths_within the channel gives up: the others are ended, none is started
  /// any more, and each block is late at once. 0: never.
  unsigned most_deaths = 0;
  std::chrono::nanoseconds deaths_within{std::chrono::minutes(1)};
  Start start = Start::fork;                ///< As PoolOptions::start,
  std::vector<std::string> exec_command{};  ///< PoolOptions::exec_command,
  std::vector<int> exec_keep{};             ///< PoolOptions::exec_keep.
  /// Run once in the process from which all replicas are forked (load what they all need). Must be a plain function.
  void (*preload)() = nullptr;
  Stderr replica_stderr = Stderr::tee;
  std::string name = "standby";  ///< Shown in process titles, errors and events.
  /// Called for each event, one at a time, on a thread of the channel's own that does nothing else.
  /// What it throws is told on stderr and goes no further. It may destroy the channel; then it is not called any more.
  std::function<void(const Event&)> on_event{};
};

}  // namespace hotspare
