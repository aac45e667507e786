#include "bare.hpp"
#include "groups.hpp"
#include "realtime_stream.hpp"
#include "samples.hpp"

#include <hotspare/hotspare.hpp>

#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

/// The standby channel: what a block costs, and what a death does to the stream.
namespace bench {
namespace {

using namespace std::chrono_literals;

/// Some work on floats with a state, so that answers can be compared bit for bit; and memory that it holds.
class Filter {
 public:
  explicit Filter(std::uint64_t resident_bytes) : held_(resident_bytes, 1) {}
  void process(std::span<const std::byte> in, std::span<std::byte> out) {
    for (std::size_t at = 0; at + sizeof(float) <= in.size(); at += sizeof(float)) {
      float sample = 0;
      std::memcpy(&sample, in.data() + at, sizeof sample);
      state_ = 0.99F * state_ + 0.01F * sample;
      std::memcpy(out.data() + at, &state_, sizeof state_);
    }
  }

 protected:
  float state_ = 0;

 private:
  std::vector<char> held_;
};

class SavedFilter : public Filter {
 public:
  using Filter::Filter;
  std::size_t save(std::span<std::byte> room) const {
    std::memcpy(room.data(), &state_, sizeof state_);
    return sizeof state_;
  }
  void load(std::span<const std::byte> state) { std::memcpy(&state_, state.data(), sizeof state_); }
};

class Squares {
 public:
  explicit Squares(std::uint64_t) {}
  void process(std::span<const std::byte> in, std::span<std::byte> out) {
    for (std::size_t at = 0; at + sizeof(float) <= in.size(); at += sizeof(float)) {
      float sample = 0;
      std::memcpy(&sample, in.data() + at, sizeof sample);
      sample *= sample;
      std::memcpy(out.data() + at, &sample, sizeof sample);
    }
  }
};

struct Case {
  std::string name;
  unsigned frames = 128;
  hotspare::StandbyMode mode = hotspare::StandbyMode::lockstep;
  std::chrono::nanoseconds kill_every{0};
  std::uint64_t resident = 0;
  unsigned load = 0;  ///< Processes that burn CPU beside it.
  std::vector<hotspare::chaos::How> ways{hotspare::chaos::How::sigkill};
};

/// A process at a priority that is killed while it sleeps, and one above that sleeps on its robust futex: what the kernel and
/// the machine take for it.
Samples bare_notice_us(const Run& run) {
  const AwakeCores awake;
  return bare::death_notice_us(bare::Notice::robust_futex, 4096, run.rounds(200, 20), realtime_priority - 2);
}

void tell(Run& run, const Case& what, const StreamResult& result, const Samples& bare) {
  const auto row = [&](const char* name, double value, const char* unit, const Limit& limit = {},
                       const char* said = "") {
    run.report.add({what.name + ": " + name, value, unit, limit, said});
  };
  const Limit control{"blocks that the control thread missed by itself", static_cast<double>(result.control_late)};
  const std::string note = std::to_string(result.blocks) + " blocks, " + std::to_string(result.stats.deaths) +
                           " deaths (" + std::to_string(result.strikes) + " strikes), " + std::to_string(result.wrong) +
                           " answers not those of an undisturbed stream, " + std::to_string(result.stats.takeovers) +
                           " takeovers";
  run.report.add({what.name + ": late blocks beyond the control's", static_cast<double>(result.late_alone), "blocks",
                  control, note});
  row("late blocks in all", static_cast<double>(result.stats.late), "blocks", control);
  row("latency p50", us(result.stats.latency.quantile(0.5)), "us");
  row("latency p99", us(result.stats.latency.quantile(0.99)), "us");
  const Limit direct{"the same work, called directly", us(result.direct.quantile(0.5))};
  row("caller's cost p50", us(result.stats.latency.quantile(0.5) - result.direct.quantile(0.5)), "us", direct);
  if (result.stats.deaths == 0) return;
  row("death to notice p95", us(result.notice.quantile(0.95)), "us",
      {"a bare process's death, seen by one on its robust futex", bare.percentile(95)}, "SIGKILL only");
  row("death to notice p99", us(result.notice.quantile(0.99)), "us",
      {"a bare process's death, seen by one on its robust futex", bare.p99()});
  if (what.ways.size() == 1)
    row("death to notice p95, from the kill itself", us(result.stats.detection.quantile(0.95)), "us",
        {"a bare process's death, seen by one on its robust futex", bare.percentile(95)},
        "without the striker's own way to it: StandbyStats::detection");
  row("death to the next good block p99", us(result.next_good.quantile(0.99)), "us", {},
      "from the kill, or from the block's begin if nobody waited, to the answer");
  row("notice to the next in step p50", us(result.stats.rejoin.quantile(0.5)), "us");
  row("notice to the next in step p95", us(result.stats.rejoin.quantile(0.95)), "us");
}

template <class P>
void measure(Run& run, const Case& what) {
  StreamOptions options;
  options.seconds = run.quick ? 2 : 20;
  options.frames = what.frames;
  options.kill_every = what.kill_every;
  options.ways = what.ways;
  options.load = what.load;
  hotspare::StandbyOptions standby;
  standby.bytes_in = standby.bytes_out = what.frames * 2 * sizeof(float);
  standby.period = std::chrono::nanoseconds(1'000'000'000LL * what.frames / 48000);
  standby.mode = what.mode;
  standby.realtime_priority = realtime_priority;
  standby.lock_memory = true;
  standby.keep_cores_awake = true;
  standby.replica_stderr = hotspare::Stderr::capture;
  const StreamResult result = run_stream<P>(options, standby, P(0), what.resident);
  const Load load(what.load);
  tell(run, what, result, result.stats.deaths == 0 ? Samples() : bare_notice_us(run));
}

}  // namespace

void standby_64(Run& run) {
  measure<Filter>(run, {.name = "lockstep 64, eight ways", .frames = 64, .kill_every = 500ms, .ways = eight_ways});
}

void standby(Run& run) {
  using hotspare::StandbyMode;
  measure<Filter>(run, {.name = "lockstep 128, no deaths"});
  measure<Filter>(run, {.name = "lockstep 128, SIGKILL", .kill_every = 250ms});
  measure<Filter>(run, {.name = "lockstep 128, eight ways", .kill_every = 500ms, .ways = eight_ways});
  measure<Filter>(
      run, {.name = "lockstep 128, both cores loaded, eight ways", .kill_every = 500ms, .load = 2, .ways = eight_ways});
  measure<SavedFilter>(
      run,
      {.name = "lockstep 128, 256 MB, saved, SIGKILL", .kill_every = 1000ms, .resident = std::uint64_t{256} << 20});
  measure<SavedFilter>(
      run, {.name = "lockstep 128, 1 GB, saved, SIGKILL", .kill_every = 3000ms, .resident = std::uint64_t{1} << 30});
  measure<SavedFilter>(run, {.name = "replay 128, SIGKILL", .mode = StandbyMode::replay, .kill_every = 250ms});
  measure<Squares>(run, {.name = "stateless 128, SIGKILL", .mode = StandbyMode::stateless, .kill_every = 250ms});
}

}  // namespace bench
