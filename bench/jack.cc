#include "groups.hpp"
#include "jack_stream.hpp"
#include "resources.hpp"

#include <audio/jack_client.hpp>
#include <audio/lv2_world.hpp>
#include <audio/resolve.hpp>
#include <audio/test_support/jack_server.hpp>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <utility>
#include <vector>

/// A real plug-in in replicas behind a real JACK server, in real time, while replicas die in all ways.
namespace bench {
namespace {

using namespace std::chrono_literals;
using hotspare::chaos::How;

constexpr const char* plugin = "http://gareus.org/oss/lv2/fil4#stereo";   // Debian: x42-plugins
constexpr const char* sound = "/usr/share/sounds/alsa/Front_Center.wav";  // Debian: alsa-utils
constexpr unsigned sample_rate = 48000;
constexpr unsigned replicas = 2;

struct JackCase {
  std::string name;
  unsigned frames = 128;
  std::chrono::seconds time{600};
  std::chrono::nanoseconds kill_every = 480ms;  // 1200 in ten minutes, with those that find only one replica in step
  unsigned load = 0;
  bool tell_each_minute = false;
};

/// When the server told of an xrun.
class Xruns {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    at_.push_back(now_ns());
  }
  std::uint64_t count() const {
    const std::lock_guard lock(mutex_);
    return at_.size();
  }
  /// Those that no stall of the machine explains. The server tells late, from a thread of no priority.
  std::uint64_t unexplained(const StallWatch& stalls) const {
    constexpr std::int64_t told_within = 50'000'000;
    const std::lock_guard lock(mutex_);
    std::uint64_t count = 0;
    for (const std::int64_t at : at_) count += stalls.stalled_in(at - told_within, at) ? 0 : 1;
    return count;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::int64_t> at_;
};

struct JackResult {
  StreamResult stream;
  std::uint64_t not_compared = 0;
  std::uint64_t hangs = 0;  ///< Strikes after which a replica hangs or is stopped.
  std::uint64_t xruns = 0;
  std::uint64_t xruns_alone = 0;
  std::uint64_t cycles_lost = 0;  ///< As the client saw it, by its own real-time thread: nothing is told late.
  std::uint64_t cycles_lost_alone = 0;
  Resources before;
  Resources after;
};

hotspare::audio::ChainSpec chain(const JackCase& what) {
  hotspare::audio::ChainSpec spec;
  spec.plugins = {{.uri = plugin}};
  spec.sample_rate = sample_rate;
  spec.frames = what.frames;
  return hotspare::audio::resolve(spec, hotspare::audio::Lv2World());
}

hotspare::StandbyOptions options_of(int priority, Striker& striker) {
  hotspare::StandbyOptions standby;
  standby.replicas = replicas;
  standby.realtime_priority = priority;
  standby.lock_memory = true;
  standby.keep_cores_awake = true;
  standby.replica_stderr = hotspare::Stderr::capture;
  standby.name = "plug-ins";
  standby.on_event = [&striker](const hotspare::Event& event) {
    if (event.kind == hotspare::Event::Kind::death) {
      striker.noticed(event.at.time_since_epoch().count());
      // It ended itself: nobody struck it.
      for (const std::string& line : event.report->stderr_tail)
        if (line.find("ends itself") != std::string::npos)
          std::fprintf(stderr, "jack: %lld: %s\n", static_cast<long long>(event.pid), line.c_str());
    }
    if (event.kind == hotspare::Event::Kind::unavailable) std::fprintf(stderr, "jack: %s\n", event.detail.c_str());
  };
  return standby;
}

void tell_minute(unsigned minute, ComparedChannel& channel, const Striker& striker, const Xruns& xruns) {
  const hotspare::StandbyStats stats = channel.channel().stats();
  std::printf("minute %2u: %llu blocks, %llu late, %llu xruns, %llu strikes, %llu deaths, %llu takeovers; %s\n", minute,
              static_cast<unsigned long long>(stats.blocks), static_cast<unsigned long long>(stats.late),
              static_cast<unsigned long long>(xruns.count()), static_cast<unsigned long long>(striker.strikes()),
              static_cast<unsigned long long>(stats.deaths), static_cast<unsigned long long>(stats.takeovers),
              Resources::now().text().c_str());
  std::fflush(stdout);
}

void sleep_for(std::chrono::nanoseconds time) { sleep_until(now_ns() + time.count()); }

/// An xrun is a cycle that did not come when it should have.
void count_lost_cycles(std::span<const BlockTimes> times, std::int64_t period_ns, const StallWatch& stalls,
                       JackResult& result) {
  for (std::size_t i = 1; i < times.size(); ++i) {
    const std::int64_t before = times[i - 1].begin;
    const std::int64_t begin = times[i].begin;
    if (begin - before <= period_ns + period_ns / 2) continue;
    ++result.cycles_lost;
    if (!stalls.stalled_in(before, begin)) ++result.cycles_lost_alone;
  }
}

JackResult stream_through(const hotspare::audio::testing::JackServer& server, const JackCase& what) {
  JackResult result;
  const Load load(what.load);
  Striker striker;
  Xruns xruns;
  const hotspare::audio::JackOptions jack{
      .name = "bench", .server = server.name(), .on_xrun = [&xruns] { xruns.add(); }};
  const hotspare::audio::JackGeometry geometry = hotspare::audio::ask_jack(jack);
  const hotspare::audio::ChainSpec spec = chain(what);
  const auto period = std::chrono::nanoseconds(std::int64_t{1'000'000'000} * what.frames / sample_rate);
  const auto channel = std::make_shared<ComparedChannel>(spec, options_of(geometry.realtime_priority, striker), sound,
                                                         static_cast<std::size_t>(what.time / period));
  StallWatch stalls;
  mlockall(MCL_CURRENT | MCL_FUTURE);
  {
    hotspare::audio::JackClient client(jack);
    client.start(channel, hotspare::audio::BlockLayout(spec));
    client.connect_to_machine();
    sleep_for(1s);
    result.before = Resources::now();
    striker.start(what.kill_every, eight_ways,
                  [&channel](How how) { return strike_one_of_several(channel->channel(), how); });
    const auto rest = what.time - 2s;
    for (unsigned minute = 1; what.tell_each_minute && minute * 60s <= rest; ++minute) {
      sleep_for(60s);
      tell_minute(minute, *channel, striker, xruns);
    }
    sleep_for(what.tell_each_minute ? rest % 60s : rest);
    striker.end();
    let_it_recover(channel->channel(), striker.strikes(), replicas);
    result.after = Resources::now();
  }
  munlockall();
  stalls.end();
  channel->end();
  result.stream.blocks = channel->blocks();
  result.stream.stats = channel->channel().stats();
  result.stream.wrong = channel->wrong();
  result.not_compared = channel->not_compared();
  judge_blocks(channel->times(), period.count(), stalls, striker, result.stream);
  for (const Striker::Blow& blow : striker.blows()) result.hangs += blow.how == How::hang || blow.how == How::stop;
  result.xruns = xruns.count();
  result.xruns_alone = xruns.unexplained(stalls);
  count_lost_cycles(channel->times(), period.count(), stalls, result);
  return result;
}

void tell(Run& run, const JackCase& what, const JackResult& result) {
  const StreamResult& stream = result.stream;
  const auto row = [&](const char* name, double value, const char* unit, const Limit& limit = {},
                       const std::string& note = "") {
    run.report.add({what.name + ": " + name, value, unit, limit, note});
  };
  const auto count = [](std::uint64_t value) { return static_cast<double>(value); };
  row("late blocks beyond the control's", count(stream.late_alone), "blocks",
      {"blocks that the control threads missed too", count(stream.control_late)},
      std::to_string(stream.blocks) + " blocks, " + std::to_string(result.not_compared) + " not compared, " +
          std::to_string(stream.stats.takeovers) + " takeovers");
  row("answers that differ from an undisturbed chain's", count(stream.wrong), "blocks");
  row("xruns beyond the control's", count(result.xruns_alone), "xruns",
      {"xruns while the machine stood still", count(result.xruns - result.xruns_alone)});
  row("cycles that came late beyond the control's", count(result.cycles_lost_alone), "cycles",
      {"those while the machine stood still", count(result.cycles_lost - result.cycles_lost_alone)},
      "by the client's own real-time thread");
  row("deaths", count(stream.stats.deaths), "deaths", {"the saboteur's own count", count(stream.strikes)});
  row("hangs ended", count(stream.stats.hangs), "hangs", {"strikes hang and stop", count(result.hangs)});
  row("latency p50", us(stream.stats.latency.quantile(0.5)), "us");
  row("latency p99", us(stream.stats.latency.quantile(0.99)), "us");
  row("death to notice p95", us(stream.notice.quantile(0.95)), "us", {}, "SIGKILL only");
  row("death to notice p99", us(stream.notice.quantile(0.99)), "us");
  row("notice to the next in step p95", us(stream.stats.rejoin.quantile(0.95)), "us");
  row("began anew without the state", count(stream.stats.states_lost), "times");
  std::printf("  before: %s\n  after:  %s\n", result.before.text().c_str(), result.after.text().c_str());
}

void measure(Run& run, const JackCase& what) {
  constexpr int priority = 70;
  const hotspare::audio::testing::JackServer server(sample_rate, what.frames, priority);
  if (!server.started()) throw std::runtime_error(server.why());
  tell(run, what, stream_through(server, what));
}

}  // namespace

void jack(Run& run) { measure(run, {.name = "JACK 128, fil4, eight ways", .time = run.quick ? 10s : 600s}); }

void jack_64(Run& run) {
  measure(run, {.name = "JACK 64, fil4, eight ways", .frames = 64, .time = run.quick ? 10s : 600s});
}

void jack_loaded(Run& run) {
  measure(run, {.name = "JACK 128, fil4, eight ways, both cores loaded", .time = run.quick ? 10s : 60s, .load = 2});
}

void jack_hour(Run& run) {
  measure(run,
          {.name = "JACK 128, fil4, eight ways, 1 hour", .time = run.quick ? 180s : 3600s, .tell_each_minute = true});
}

}  // namespace bench
