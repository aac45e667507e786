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
#include <mutex>
#include <random>
#include <span>
#include <thread>
#include <vector>

/// A stream of blocks in real time through a standby channel, while somebody kills replicas; and beside it the machine's own
/// stalls, so that those are not held against the channel.
namespace bench {

inline constexpr int realtime_priority = 70;

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
  explicit Load(unsigned processes);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

 private:
  std::vector<int> pids_;
};

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
  using Strike = std::int64_t (*)(void* channel, hotspare::chaos::How how);
  void noticed(std::int64_t at_ns);
  void start(const StreamOptions& options, Strike strike, void* channel);
  void end();
  std::uint64_t strikes() const { return strikes_; }
  const std::vector<std::int64_t>& kills() const { return kills_; }
  hotspare::Histogram notice() const;

 private:
  void loop(StreamOptions options, Strike strike, void* channel);
  std::mutex mutex_;
  std::condition_variable ends_;
  bool ending_ = false;
  std::uint64_t strikes_ = 0;
  std::int64_t open_kill_ = 0;  ///< SIGKILL sent, not yet noticed.
  std::vector<std::int64_t> kills_;
  std::vector<std::int64_t> noticed_after_;
  std::thread thread_;
};

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
  struct Times {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    bool answered = false;
  };
  std::vector<Times> times(blocks);
  std::vector<std::byte> in(standby.bytes_in);
  std::vector<std::byte> out(standby.bytes_out);
  std::vector<std::byte> right(standby.bytes_out);
  StreamResult result;
  StallWatch stalls;
  striker.start(
      options,
      [](void* to, hotspare::chaos::How how) { return static_cast<hotspare::StandbyChannel<P>*>(to)->strike(how); },
      &channel);
  {
    const RealtimeThread realtime;
    const std::int64_t start = now_ns() + 10'000'000;
    std::minstd_rand noise(1);
    for (std::size_t i = 0; i < blocks; ++i) {
      for (std::size_t at = 0; at < in.size(); at += sizeof(float)) {
        const float sample = static_cast<float>(noise()) / 2147483648.0F - 0.5F;
        std::memcpy(in.data() + at, &sample, sizeof sample);
      }
      reference.process(in, right);
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
  while (channel.stats().deaths < striker.strikes() || channel.stats().in_step < standby.replicas)
    std::this_thread::yield();
  result.blocks = blocks;
  result.strikes = striker.strikes();
  result.stats = channel.stats();
  result.notice = striker.notice();
  for (const Times& each : times) {
    if (each.answered) continue;
    ++(stalls.stalled_in(each.begin - standby.period.count(), each.end) ? result.control_late : result.late_alone);
  }
  std::size_t at = 0;
  for (const std::int64_t kill : striker.kills()) {
    while (at < blocks && (times[at].end < kill || !times[at].answered)) ++at;
    if (at < blocks) result.next_good.add(std::chrono::nanoseconds(times[at].end - std::max(kill, times[at].begin)));
  }
  return result;
}

}  // namespace bench
