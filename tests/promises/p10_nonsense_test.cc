#include "support/stream.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <random>
#include <span>
#include <string>
#include <unistd.h>
#include <vector>

/// P10. A replica may write anything into the memory that it shares with the others: it is ended for what cannot be, the host
/// lives, each block is answered or told late, and what others answer does not differ.
namespace hotspare::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AnyOf;

/// This process's writable mappings of a memfd, as 64-bit words.
std::vector<std::span<volatile std::uint64_t>> words_of(const std::string& memfd) {
  std::vector<std::span<volatile std::uint64_t>> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find(memfd) == std::string::npos || line.find("rw-s") == std::string::npos) continue;
    const std::uintptr_t begin = std::stoull(line, nullptr, 16);
    const std::uintptr_t end = std::stoull(line.substr(line.find('-') + 1), nullptr, 16);
    found.emplace_back(reinterpret_cast<volatile std::uint64_t*>(begin), (end - begin) / sizeof(std::uint64_t));
  }
  return found;
}
/// All that a replica says of itself lies at the begin of its lane.
std::span<volatile std::uint64_t> own_lane() { return words_of("hotspare-lanes").at(0); }
constexpr std::size_t lane_words = 80;

enum class Then : std::uint8_t { dies, hangs, goes_on };
/// A block that makes replicas scribble.
struct Scribble {
  std::uint64_t word = lane_words;  ///< Which one; lane_words: all.
  std::uint64_t value = 0;
  Then then = Then::goes_on;
};
struct In {
  std::uint64_t value = 0;
  std::uint64_t scribbles = 0;
  Scribble what = {};
};

class Scribbler {
 public:
  void process(std::span<const std::byte> bytes, std::span<std::byte> out) {
    In in;
    std::memcpy(&in, bytes.data(), sizeof in);
    if (in.scribbles != 0) scribble(in.what);
    state_ = PlainChain::next(state_, in.value);
    Word{state_}.to(out);
  }
  std::size_t save(std::span<std::byte> room) const {
    Word{state_}.to(room);
    return sizeof state_;
  }
  void load(std::span<const std::byte> state) { state_ = Word::from(state).value; }

 private:
  static void scribble(const Scribble& what) {
    const auto lane = own_lane().first(lane_words);
    for (std::size_t word = 0; word < lane_words; ++word)
      if (what.word == lane_words || what.word == word) lane[word] = what.value;
    if (what.then == Then::dies) chaos::strike(chaos::How::sigkill);
    if (what.then == Then::hangs) chaos::strike(chaos::How::hang);
  }
  std::uint64_t state_ = 0;
};

StandbyOptions options_for(StandbyMode mode) {
  StandbyOptions options = small_channel(mode);
  options.bytes_in = sizeof(In);
  options.history = 1024;
  options.hang_after = 500ms;  // a busy machine keeps a replica from a CPU for 50 ms
  options.breaker_deaths = 100;
  return options;
}

class Scribbled {
 public:
  explicit Scribbled(StandbyMode mode) : channel_(options_for(mode)) {}
  /// Nothing of it stays, whatever becomes of the block itself.
  void survives(const Scribble& what) {
    constexpr std::uint64_t few = 100;
    for (int block = 0; block < 10; ++block) ASSERT_EQ(send({.value = 3}), BlockOutcome::answered);
    const std::uint64_t before = channel_.stats().states_lost;
    const std::uint64_t without = answer_;
    const BlockOutcome outcome = send({.value = 5, .scribbles = 1, .what = what});
    ASSERT_EQ(send({.value = 7}), BlockOutcome::answered);
    const auto next = [](std::uint64_t state, std::uint64_t in) { return PlainChain::next(state, in); };
    const bool lost = channel_.stats().states_lost != before;
    const std::uint64_t with = next(without, 5);
    // One that goes on may answer before it is ended; then the state may be lost with it, but is counted.
    if (lost) {
      EXPECT_THAT(answer_, AnyOf(next(0, 7), next(next(0, 5), 7), next(with, 7), next(without, 7)));
    } else if (outcome == BlockOutcome::late) {
      EXPECT_THAT(answer_, AnyOf(next(without, 7), next(with, 7)));
    } else {
      EXPECT_EQ(answer_, next(with, 7));
    }
    ASSERT_TRUE(channel_.wait_in_step(2)) << channel_.broken();
    ASSERT_EQ(send({.value = 7}), BlockOutcome::answered);
    for (int block = 0; block < 10; ++block) {
      const std::uint64_t state = answer_;
      ASSERT_EQ(send({.value = 9}), BlockOutcome::answered);
      ASSERT_EQ(answer_, next(state, 9));
    }
    const StandbyStats stats = channel_.stats();
    EXPECT_LE(stats.states_lost, before + few) << "counted, not read from what was written";
    EXPECT_LE(stats.left_out, 1U + left_out_);
    left_out_ = stats.left_out;
  }

 private:
  BlockOutcome send(const In& in) {
    std::array<std::byte, 8> out{};
    const auto outcome =
        channel_.process(std::as_bytes(std::span(&in, 1)), out, std::chrono::steady_clock::now() + 60s);
    answer_ = Word::from(out).value;
    return outcome;
  }
  StandbyChannel<Scribbler> channel_;
  std::uint64_t answer_ = 0;
  std::uint64_t left_out_ = 0;
};

constexpr std::uint64_t patterns[] = {0, ~std::uint64_t{0}, 0x5555'5555'5555'5555, std::uint64_t{1} << 44,
                                      0x0000'0001'0000'0001};

class P10Nonsense : public ::testing::TestWithParam<StandbyMode> {};

TEST_P(P10Nonsense, OverTheWholeLane) {
  for (const std::uint64_t pattern : patterns) {
    for (const Then then : {Then::dies, Then::goes_on}) {
      SCOPED_TRACE(::testing::Message() << std::hex << pattern << ", then " << static_cast<int>(then));
      Scribbled(GetParam()).survives({.value = pattern, .then = then});
      if (HasFailure()) return;
    }
  }
}

/// No hang is judged by words that are nonsense.
TEST_P(P10Nonsense, BeforeAHang) {
  Scribbled(GetParam()).survives({.value = std::uint64_t{1} << 44, .then = Then::hangs});
}

void scribble_in_each(StandbyMode mode, std::uint64_t first, std::uint64_t end) {
  for (std::uint64_t word = first; word < end; ++word) {
    SCOPED_TRACE(::testing::Message() << "word " << word);
    Scribbled(mode).survives({.word = word, .value = std::uint64_t{1} << 44, .then = Then::dies});
    if (::testing::Test::HasFailure()) return;
  }
}
/// The numbers of blocks are among these.
TEST_P(P10Nonsense, InEachWordOfTwoLines) { scribble_in_each(GetParam(), 16, 32); }

class LongP10Nonsense : public P10Nonsense {};
TEST_P(LongP10Nonsense, InEachWord) { scribble_in_each(GetParam(), 0, lane_words); }
INSTANTIATE_TEST_SUITE_P(, LongP10Nonsense, ::testing::Values(StandbyMode::lockstep, StandbyMode::replay));
INSTANTIATE_TEST_SUITE_P(, P10Nonsense, ::testing::Values(StandbyMode::lockstep, StandbyMode::replay));

enum FuzzWord : std::size_t { fuzzer_word, writes_word, writes_each_word };

struct Signed {
  std::uint64_t value = 0;
  std::uint64_t pid = 0;
};

/// Says with each answer whose it is. The one who is told to writes random words at random places of all that he may write.
class Fuzzed {
 public:
  explicit Fuzzed(const std::string& beacon) : beacon_(beacon) {}
  void process(std::span<const std::byte> in, std::span<std::byte> out) {
    const auto pid = static_cast<std::uint64_t>(::getpid());
    if (beacon_.told(fuzzer_word) == pid) fuzz();
    state_ = PlainChain::next(state_, Word::from(in).value);
    const Signed answer{state_, pid};
    std::memcpy(out.data(), &answer, sizeof answer);
  }
  std::size_t save(std::span<std::byte> room) const {
    Word{state_}.to(room);
    return sizeof state_;
  }
  void load(std::span<const std::byte> state) { state_ = Word::from(state).value; }

 private:
  void fuzz() {
    std::mt19937_64 random(beacon_.told(writes_word) + 1);
    auto places = words_of("hotspare-lanes");
    const auto bells = words_of("hotspare-standby-bells");
    places.insert(places.end(), bells.begin(), bells.end());
    const std::uint64_t writes = beacon_.told(writes_each_word);
    for (std::uint64_t i = 0; i < writes; ++i) {
      auto place = places[random() % places.size()];
      if (random() % 2 == 0) place = place.first(std::min(place.size(), lane_words));
      const std::uint64_t word = random();
      place[random() % place.size()] = random() % 2 == 0 ? word : word >> random() % 64;
      beacon_.add(1, writes_word);
    }
    if (random() % 4 == 0) chaos::strike(chaos::How::sigkill);  // leaves it so
  }
  Beacon beacon_;
  std::uint64_t state_ = 0;
};

struct Fuzz {
  StandbyMode mode = StandbyMode::lockstep;
  bool spare = false;
  std::uint64_t writes = 0;
};

/// One after another of the replicas, until so many words were written.
void fuzz(const Fuzz& how) {
  StandbyOptions options = small_channel(how.mode);
  options.bytes_out = sizeof(Signed);
  options.replicas = 3;
  options.spare = how.spare;
  options.state_bytes = 4096;
  options.hang_after = 100ms;
  options.breaker_deaths = 1'000'000;
  Beacon beacon;
  beacon.tell(4, writes_each_word);
  StandbyChannel<Fuzzed> channel(options, beacon.path());
  std::uint64_t state = 0;
  std::uint64_t lives = 0;
  std::int64_t last = 0;  // who answered
  std::vector<std::int64_t> fuzzers;
  for (std::uint64_t block = 1; beacon.told(writes_word) < how.writes; ++block) {
    if (block % 8 == 0 && channel.stats().in_step == 3) {
      const std::vector<std::int64_t> pids = channel.replica_pids();
      const auto chosen = static_cast<std::int64_t>(beacon.told(fuzzer_word));
      const bool replace = std::find(pids.begin(), pids.end(), chosen) == pids.end();
      // Where one works it has to be that one.
      const std::int64_t next = how.mode == StandbyMode::replay ? last : pids.empty() ? 0 : pids[lives % pids.size()];
      if (replace && std::find(pids.begin(), pids.end(), next) != pids.end()) {
        ++lives;
        fuzzers.push_back(next);
        beacon.tell(static_cast<std::uint64_t>(next), fuzzer_word);
      }
    }
    std::array<std::byte, 8> in{};
    Signed answer;
    Word{block}.to(in);
    ASSERT_EQ(
        channel.process(in, std::as_writable_bytes(std::span(&answer, 1)), std::chrono::steady_clock::now() + 60s),
        BlockOutcome::answered)
        << "block " << block;
    state = PlainChain::next(state, block);
    const std::vector<std::int64_t> pids = channel.replica_pids();
    const auto who = static_cast<std::int64_t>(answer.pid);
    last = who;
    const bool honest = std::find(pids.begin(), pids.end(), who) != pids.end() &&
                        std::find(fuzzers.begin(), fuzzers.end(), who) == fuzzers.end();
    if (!honest) continue;
    ASSERT_EQ(answer.value, state) << "block " << block << ", after " << lives << " lives";
  }
  beacon.tell(0, fuzzer_word);
  const StandbyStats stats = channel.stats();
  // Who takes over says himself that the history did not reach back to his state: a liar may say it once in a short life.
  EXPECT_LE(stats.states_lost, how.mode == StandbyMode::lockstep ? 0U : lives);
  EXPECT_EQ(stats.left_out, 0U);
  EXPECT_EQ(channel.broken(), "");
  EXPECT_GT(lives, 0U);
  ::testing::Test::RecordProperty("lives", std::to_string(lives));
  ::testing::Test::RecordProperty("writes", std::to_string(beacon.told(writes_word)));
}

class P10Fuzz : public ::testing::TestWithParam<Fuzz> {};
TEST_P(P10Fuzz, RandomWordsOverAllThatAReplicaMayWrite) { fuzz(GetParam()); }

std::string name_of(const ::testing::TestParamInfo<Fuzz>& info) {
  return info.param.mode == StandbyMode::replay ? "Replay" : info.param.spare ? "WithASpare" : "Lockstep";
}
constexpr std::uint64_t few = 400;
constexpr std::uint64_t many = 100'000;
INSTANTIATE_TEST_SUITE_P(, P10Fuzz,
                         ::testing::Values(Fuzz{.writes = few}, Fuzz{.spare = true, .writes = few},
                                           Fuzz{.mode = StandbyMode::replay, .writes = few}),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Long, P10Fuzz,
                         ::testing::Values(Fuzz{.writes = many}, Fuzz{.spare = true, .writes = many},
                                           Fuzz{.mode = StandbyMode::replay, .writes = many}),
                         name_of);

}  // namespace
}  // namespace hotspare::testing
