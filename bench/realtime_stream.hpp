#pragma once

#include "process.hpp"

#include <hotspare/hotspare.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <sched.h>
#include <span>
#include <thread>
#include <vector>

/// A stream of blocks in real time through a standby channel, while somebody kills replicas; and beside it the machine's own
/// stalls, so that those are not held against the channel.
namespace bench {

inline constexpr int realtime_priority = 70;

/// In turn.
inline const std::vector<hotspare::chaos::How> eight_ways{
    hotspare::chaos::How::sigkill, hotspare::chaos::How::sigsegv,       hotspare::chaos::How::abort,
    hotspare::chaos::How::exit,    hotspare::chaos::How::hang,          hotspare::chaos::How::stop,
    hotspare::chaos::How::memory,  hotspare::chaos::How::stack_overflow};

struct StreamOptions {
  int seconds = 20;
  unsigned frames = 128;
  std::chrono::nanoseconds kill_every{0};  ///< 0: nobody is killed.
  std::vector<hotspare::chaos::How> ways;
  unsigned load = 0;
};

struct StreamResult {
  std::uint64_t blocks = 0;
  std::uint64_t wrong = 0;         ///< Answers that an undisturbed stream would not have given.
  std::uint64_t control_late = 0;  ///< Late blocks during which the machine itself stood still.
  std::uint64_t late_alone = 0;    ///< Late blocks during which it did not.
  std::uint64_t strikes = 0;
  hotspare::StandbyStats stats;
  hotspare::Histogram notice;     ///< From a SIGKILL to the channel's notice of the death.
  hotspare::Histogram direct;     ///< The same work, called directly by the same thread.
  hotspare::Histogram next_good;  ///< From a SIGKILL, or the next block's begin, to the next answer.
};

inline double us(std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1000; }

/// One thread a core at a priority above all others, awake every half millisecond: when one of them is late, the machine
/// stood still.
class StallWatch {
 public:
  static constexpr std::int64_t stall_ns = 300'000;  ///< Later than that is a stall.
  StallWatch();
  ~StallWatch();
  StallWatch(const StallWatch&) = delete;
  StallWatch& operator=(const StallWatch&) = delete;
  void end();
  /// After end().
  bool stalled_in(std::int64_t begin, std::int64_t end) const;

 private:
  struct Stall {
    std::int64_t begin;
    std::int64_t end;
  };
  void watch(unsigned core);
  std::atomic<bool> ending_{false};
  std::vector<std::vector<Stall>> stalls_;
  std::vector<std::thread> threads_;
};

/// Processes that burn CPU until it goes.
class Load {
 public:
  /// policy: SCHED_OTHER, or SCHED_IDLE for processes that take time from nobody.
  explicit Load(unsigned processes, int policy = SCHED_OTHER);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

 private:
  std::vector<int> pids_;
};

/// No core sleeps deeper than it wakes at once.
class AwakeCores {
 public:
  AwakeCores();
  ~AwakeCores();
  AwakeCores(const AwakeCores&) = delete;
  AwakeCores& operator=(const AwakeCores&) = delete;

 private:
  int fd_;
  std::optional<Load> spinners_;  ///< In a virtual machine.
};

/// SCHED_FIFO for this thread; 0: normal scheduling.
void set_fifo(int priority);

/// This thread real-time, and all of this process's memory there.
class RealtimeThread {
 public:
  RealtimeThread();
  ~RealtimeThread();
  RealtimeThread(const RealtimeThread&) = delete;
  RealtimeThread& operator=(const RealtimeThread&) = delete;
};
void sleep_until(std::int64_t at_ns);

/// Strikes one replica after the other. Keeps when it did, and when the channel noticed.
class Striker {
 public:
  /// 0: nobody was there to be struck.
  using Strike = std::function<std::int64_t(hotspare::chaos::How how)>;
  struct Blow {
    std::int64_t at;
    hotspare::chaos::How how;
  };
  void noticed(std::int64_t at_ns);
  void start(std::chrono::nanoseconds every, std::vector<hotspare::chaos::How> ways, Strike strike);
  void end();
  std::uint64_t strikes() const;
  /// After end().
  const std::vector<Blow>& blows() const { return blows_; }
  hotspare::Histogram notice() const;

 private:
  void loop(std::chrono::nanoseconds every, const std::vector<hotspare::chaos::How>& ways, const Strike& strike);
  mutable std::mutex mutex_;
  std::condition_variable ends_;
  bool ending_ = false;
  std::int64_t open_kill_ = 0;  ///< SIGKILL sent, not yet noticed.
  std::vector<Blow> blows_;
  std::vector<std::int64_t> noticed_after_;
  std::thread thread_;
};

/// When a block was asked for, and what became of it.
struct BlockTimes {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  bool answered = false;
};
/// Holds late blocks against the machine's stalls, and tells of each one that no stall explains; from a SIGKILL to the next
/// answer.
void judge_blocks(std::span<const BlockTimes> times, std::int64_t period_ns, const StallWatch& stalls,
                  const Striker& striker, StreamResult& result);

/// Not the last one: where nobody is left the stream is late, and that is not the question here.
template <class Channel>
std::int64_t strike_one_of_several(Channel& channel, hotspare::chaos::How how) {
  return channel.stats().in_step >= 2 ? channel.strike(how) : 0;
}

/// Until the last death is counted, and all replicas are there again.
template <class Channel>
void let_it_recover(const Channel& channel, std::uint64_t strikes, unsigned replicas) {
  while (channel.stats().deaths < strikes || channel.stats().in_step < replicas) std::this_thread::yield();
}

template <class P, class Reference>
StreamResult run_stream(const StreamOptions& options, hotspare::StandbyOptions standby, Reference reference,
                        std::uint64_t resident) {
  const Load load(options.load);
  Striker striker;
  standby.on_event = [&](const hotspare::Event& event) {
    if (event.kind == hotspare::Event::Kind::death) striker.noticed(event.at.time_since_epoch().count());
    if (event.kind == hotspare::Event::Kind::unavailable) std::fprintf(stderr, "standby: %s\n", event.detail.c_str());
  };
  hotspare::StandbyChannel<P> channel(standby, resident);
  const auto blocks = static_cast<std::size_t>(std::chrono::seconds(options.seconds) / standby.period);
  std::vector<BlockTimes> times(blocks);
  std::vector<std::byte> in(standby.bytes_in);
  std::vector<std::byte> out(standby.bytes_out);
  std::vector<std::byte> right(standby.bytes_out);
  StreamResult result;
  StallWatch stalls;
  striker.start(options.kill_every, options.ways,
                [&channel](hotspare::chaos::How how) { return strike_one_of_several(channel, how); });
  {
    const RealtimeThread realtime;
    const std::int64_t start = now_ns() + 10'000'000;
    std::minstd_rand noise(1);
    for (std::size_t i = 0; i < blocks; ++i) {
      for (std::size_t at = 0; at < in.size(); at += sizeof(float)) {
        const float sample = static_cast<float>(noise()) / 2147483648.0F - 0.5F;
        std::memcpy(in.data() + at, &sample, sizeof sample);
      }
      const std::int64_t direct = now_ns();
      reference.process(in, right);
      result.direct.add(std::chrono::nanoseconds(now_ns() - direct));
      const std::int64_t due = start + static_cast<std::int64_t>(i) * standby.period.count();
      sleep_until(due);
      const std::chrono::steady_clock::time_point deadline{std::chrono::nanoseconds(due) + standby.period};
      times[i].begin = now_ns();
      times[i].answered = channel.process(in, out, deadline) == hotspare::BlockOutcome::answered;
      times[i].end = now_ns();
      if (times[i].answered && std::memcmp(out.data(), right.data(), out.size()) != 0) ++result.wrong;
    }
  }
  striker.end();
  stalls.end();
  let_it_recover(channel, striker.strikes(), standby.replicas);
  result.blocks = blocks;
  result.stats = channel.stats();
  judge_blocks(times, standby.period.count(), stalls, striker, result);
  return result;
}

}  // namespace bench
