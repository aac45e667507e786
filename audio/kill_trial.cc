#include "kill_trial.hpp"

#include "replicated_processor.hpp"
#include "trial_player.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace hotspare::audio {

namespace {

using namespace std::chrono_literals;

/// Wakes whoever waits for something to happen to a channel.
class Happenings {
 public:
  void tell() {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
  /// holds: looked at again after each event.
  template <class Holds>
  void wait(const Holds& holds) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, holds);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

StandbyOptions options_for(const Trial& trial, Happenings& happenings) {
  StandbyOptions options;
  options.replicas = 2;
  options.start = Start::exec;
  options.history = 65536;  // blocks come as fast as they are answered: a new replica has many to catch up with
  options.replica_stderr = Stderr::capture;
  options.name = trial.uri;
  options.on_event = [&happenings](const Event&) { happenings.tell(); };
  return options;
}

/// Kills, spread over the blocks; each waits until the one before it is made good, where that can be.
class Killer {
 public:
  Killer(StandbyChannel<ChainProcessor>& channel, Happenings& happenings, unsigned kills, std::uint64_t blocks)
      : channel_(channel), happenings_(happenings), kills_(kills), every_(blocks / (kills + 1)) {}
  void before_block(std::uint64_t block) {
    if (done_ == kills_ || block < (done_ + 1) * every_) return;
    happenings_.wait([this] {
      const StandbyStats stats = channel_.stats();
      // Where it cannot be replaced that is told as unavailable, and the last one is killed, too.
      return stats.deaths >= done_ && (stats.in_step == 2 || !stats.unavailable.empty() || !channel_.broken().empty());
    });
    if (channel_.strike(chaos::How::sigkill) != 0) ++done_;
  }
  unsigned done() const { return done_; }

 private:
  StandbyChannel<ChainProcessor>& channel_;
  Happenings& happenings_;
  unsigned kills_;
  std::uint64_t every_;
  unsigned done_ = 0;
};

}  // namespace

KillResult kill_plugin(const Trial& trial, unsigned kills) {
  const Stage stage = set_stage(trial);
  TrialPlayer player(stage, trial.seconds);
  Happenings happenings;
  ReplicatedProcessor processor(stage.spec, options_for(trial, happenings));
  Killer killer(processor.channel(), happenings, kills, player.blocks());
  KillResult result;
  TrialResult heard;
  std::uint64_t block = 0;
  player.play(
      [&](std::span<const std::byte> in, std::span<std::byte> out) {
        killer.before_block(block++);
        if (!processor.process(in, out, std::chrono::steady_clock::now() + 60s)) ++result.late;
      },
      heard);
  happenings.wait([&] { return processor.channel().stats().deaths >= killer.done(); });
  const StandbyStats stats = processor.channel().stats();
  result.kills = killer.done();
  result.deaths = stats.deaths;
  result.states_lost = stats.states_lost;
  result.sound = heard.sound;
  result.unavailable = stats.unavailable;
  return result;
}

}  // namespace hotspare::audio
