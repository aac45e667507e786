#include "support/standby.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <unistd.h>

/// Replicas die at the labelled points of the protocol (src/worker/crash_point.hpp) while blocks flow. Whatever is lost, each
/// block is answered or late, the channel recovers, and its counters are the saboteur's.
namespace hotspare::testing {
namespace {

using namespace std::chrono_literals;

class Saboteur {
 public:
  Saboteur(const std::string& point, int one_in, std::uint64_t seed) {
    const char* folder = std::getenv("TMPDIR");
    log_ = std::string(folder != nullptr ? folder : "/tmp") + "/standby_log_" + std::to_string(::getpid());
    std::ofstream(log_).flush();
    ::setenv("HOTSPARE_CRASH_AT", (point + ":" + std::to_string(one_in) + ":" + std::to_string(seed)).c_str(), 1);
    ::setenv("HOTSPARE_CRASH_LOG", log_.c_str(), 1);
  }
  ~Saboteur() {
    ::unsetenv("HOTSPARE_CRASH_AT");
    ::unsetenv("HOTSPARE_CRASH_LOG");
    ::unlink(log_.c_str());
  }
  std::uint64_t kills(const std::string& but = "") const {
    std::ifstream file(log_);
    std::uint64_t lines = 0;
    for (std::string line; std::getline(file, line);) lines += but.empty() || line != but ? 1 : 0;
    return lines;
  }

 private:
  std::string log_;
};

struct Storm {
  const char* point;
  int one_in;
  StandbyMode mode = StandbyMode::lockstep;
  bool spare = false;
};

/// blocks answered or late; in the end all replicas are back.
template <class P>
void storm(const Storm& what, std::uint64_t seed, int blocks) {
  const Saboteur saboteur(what.point, what.one_in, seed);
  const Beacon beacon;
  StandbyOptions options = small_channel(what.mode);
  options.breaker_deaths = 1'000'000;
  options.history = 1024;
  options.spare = what.spare;
  StandbyChannel<P> channel(options, beacon.path());
  std::array<std::byte, 8> in{};
  std::array<std::byte, 8> out{};
  for (int block = 0; block < blocks; ++block) channel.process(in, out, std::chrono::steady_clock::now() + 20ms);
  // A death counts when it is judged, which takes longer than to replace it; and who has not yet processed the last blocks may
  // die in them. An heir that nobody had heard of is no death of a replica.
  StandbyStats stats;
  std::uint64_t kills = 0;
  do {
    std::this_thread::yield();
    kills = saboteur.kills("heir_unborn");
    stats = channel.stats();
  } while (stats.in_step < options.replicas || stats.deaths < kills);
  EXPECT_EQ(stats.blocks, static_cast<std::uint64_t>(blocks));
  EXPECT_EQ(stats.answered + stats.late, stats.blocks);
  EXPECT_LE(stats.deaths, saboteur.kills("heir_unborn")) << "somebody died whom nobody killed";
  EXPECT_TRUE(channel.broken().empty()) << channel.broken();
}

void storms(const Storm& kind, std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    if (kind.mode == StandbyMode::lockstep) storm<Chain>(kind, seed, 1000);
    storm<SavedChain>(kind, seed, 1000);
  }
}

class StandbyStorm : public ::testing::TestWithParam<Storm> {};
TEST_P(StandbyStorm, NoBlockIsLost) { storms(GetParam(), 1, 1); }

class LongStandbyStorm : public ::testing::TestWithParam<Storm> {};
TEST_P(LongStandbyStorm, NoBlockIsLost) { storms(GetParam(), 2, 4); }

std::string name_of(const ::testing::TestParamInfo<Storm>& info) {
  const std::string mode = info.param.mode == StandbyMode::lockstep ? "lockstep_" : "replay_";
  return mode + (info.param.spare ? "with_spare_" : "") + info.param.point;
}

const auto without_spare = ::testing::Values(
    Storm{"before_setup", 2}, Storm{"before_ready", 2}, Storm{"replica_in_block", 300}, Storm{"replica_in_answer", 300},
    Storm{"replica_answered", 300}, Storm{"replica_in_save", 2}, Storm{"replica_in_load", 2},
    Storm{"replica_in_fork", 2}, Storm{"heir_unborn", 2}, Storm{"heir_announced", 2}, Storm{"any", 300},
    Storm{"replica_in_block", 300, StandbyMode::replay}, Storm{"replica_in_save", 5, StandbyMode::replay},
    Storm{"replica_takes_over", 2, StandbyMode::replay}, Storm{"any", 300, StandbyMode::replay});

const auto with_spare = ::testing::Values(
    Storm{"before_setup", 2, StandbyMode::lockstep, true}, Storm{"replica_in_block", 300, StandbyMode::lockstep, true},
    Storm{"replica_in_answer", 300, StandbyMode::lockstep, true},
    Storm{"replica_in_save", 2, StandbyMode::lockstep, true}, Storm{"replica_in_load", 2, StandbyMode::lockstep, true},
    Storm{"replica_in_fork", 2, StandbyMode::lockstep, true}, Storm{"heir_unborn", 2, StandbyMode::lockstep, true},
    Storm{"heir_announced", 2, StandbyMode::lockstep, true}, Storm{"spare_follows", 2, StandbyMode::lockstep, true},
    Storm{"spare_promoted", 2, StandbyMode::lockstep, true}, Storm{"any", 300, StandbyMode::lockstep, true});

INSTANTIATE_TEST_SUITE_P(Chaos, StandbyStorm, without_spare, name_of);
INSTANTIATE_TEST_SUITE_P(Spare, StandbyStorm, with_spare, name_of);
INSTANTIATE_TEST_SUITE_P(Long, LongStandbyStorm, without_spare, name_of);
INSTANTIATE_TEST_SUITE_P(LongSpare, LongStandbyStorm, with_spare, name_of);

}  // namespace
}  // namespace hotspare::testing
