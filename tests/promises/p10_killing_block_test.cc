#include "support/stream.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

/// P10. A block that kills whoever processes it is left out, alone: answers are those of a processor that never saw it. Where
/// that cannot be the state is lost, and counted: they are those of a fresh one (the table in docs/standby_channel.md).
namespace hotspare::testing {
namespace {

using namespace std::chrono_literals;
using chaos::How;

constexpr std::uint64_t kills = std::uint64_t{1} << 63;
std::uint64_t killer(How how) { return kills | static_cast<std::uint64_t>(how); }

void maybe_die(std::uint64_t in) {
  if ((in & kills) != 0) chaos::strike(static_cast<How>(in & 0xFF));
}

/// What the processors below answer, each without the blocks that it was not given.
class ChainModel {
 public:
  std::uint64_t take(std::uint64_t in) { return state_ = PlainChain::next(state_, in); }

 protected:
  std::uint64_t state_ = 0;
};
class WindowModel {
 public:
  static constexpr unsigned blocks = 16;
  std::uint64_t take(std::uint64_t in) {
    last_.push_back(in);
    if (last_.size() > blocks) last_.pop_front();
    std::uint64_t sum = 0;
    for (const std::uint64_t each : last_) sum = sum * 31 + each;
    return sum;
  }

 private:
  std::deque<std::uint64_t> last_;
};
class TwiceModel {
 public:
  static std::uint64_t take(std::uint64_t in) { return 2 * in; }
};

/// In a replica.
template <class M>
class Fragile {
 public:
  using Model = M;
  void process(std::span<const std::byte> in, std::span<std::byte> out) {
    const std::uint64_t value = Word::from(in).value;
    maybe_die(value);
    Word{model_.take(value)}.to(out);
  }

 protected:
  M model_;
};
class FragileSaved : public Fragile<ChainModel> {
 public:
  std::size_t save(std::span<std::byte> room) const {
    std::memcpy(room.data(), &model_, sizeof model_);
    return sizeof model_;
  }
  void load(std::span<const std::byte> state) { std::memcpy(&model_, state.data(), sizeof model_); }
};
using FragileForked = std::conditional_t<under_tsan(), FragileSaved, Fragile<ChainModel>>;
using FragileWindow = Fragile<WindowModel>;
using FragileTwice = Fragile<TwiceModel>;

/// A stream through a channel, and what a processor answers that never sees what is left out.
template <class P>
class Checked {
 public:
  template <class... A>
  explicit Checked(const StandbyOptions& options, const A&... arguments) : channel_(options, arguments...) {}

  void send(int blocks) {
    for (int i = 0; i < blocks; ++i) {
      const std::uint64_t value = 7919 * ++sent_;
      ASSERT_EQ(process(value), BlockOutcome::answered) << "block " << sent_;
      ASSERT_NO_FATAL_FAILURE(check(value));
    }
  }

  void send_killer(How how) {
    ++sent_;
    EXPECT_EQ(process(killer(how)), BlockOutcome::late) << "block " << sent_;
  }
  StandbyChannel<P>& channel() { return channel_; }

 private:
  /// Losses are counted before anybody begins anew. The last answer before may have come before that, or after.
  void check(std::uint64_t value) {
    const std::uint64_t lost = channel_.stats().states_lost;
    if (lost != std::exchange(lost_, lost)) {
      typename P::Model fresh;
      if (answer_ == fresh.take(value)) {
        model_ = fresh;
        return;
      }
      ASSERT_EQ(answer_, model_.take(value)) << "block " << sent_ << ", and the state is lost";
      model_ = {};
      return;
    }
    ASSERT_EQ(answer_, model_.take(value)) << "block " << sent_ << ", states lost: " << lost;
  }
  BlockOutcome process(std::uint64_t value) {
    std::array<std::byte, 8> in{};
    std::array<std::byte, 8> out{};
    Word{value}.to(in);
    const BlockOutcome outcome = channel_.process(in, out, std::chrono::steady_clock::now() + 60s);
    answer_ = Word::from(out).value;
    return outcome;
  }
  StandbyChannel<P> channel_;
  typename P::Model model_;
  std::uint64_t sent_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t answer_ = 0;
};

template <class P>
StandbyOptions options_of(StandbyMode mode) {
  StandbyOptions options = small_channel(mode);
  options.history = 1024;
  options.hang_after = 50ms;
  options.commit_every = 16;
  if (std::is_same_v<typename P::Model, WindowModel>) options.replay_blocks = WindowModel::blocks;
  return options;
}

enum class When : unsigned char { early, late };  // the history still holds all blocks, or not any more

/// Two killers with blocks between them; states_lost says whether the state may be lost.
template <class P>
void left_out_alone(const StandbyOptions& options, When when, How how, bool may_lose = false) {
  Checked<P> stream(options);
  stream.send(when == When::early ? 29 : 1200);
  for (std::uint64_t killers = 1; killers <= 2; ++killers) {
    stream.send_killer(how);
    stream.send(50);
    ASSERT_TRUE(stream.channel().wait_in_step(options.replicas)) << stream.channel().broken();
    stream.send(50);
    EXPECT_EQ(stream.channel().stats().left_out, killers);
  }
  const std::uint64_t lost = stream.channel().stats().states_lost;
  EXPECT_LE(lost, may_lose ? 2U : 0U);
}

template <class P>
class P10KillingBlock : public ::testing::Test {};
using InLockstep = ::testing::Types<FragileForked, FragileSaved, FragileWindow>;
TYPED_TEST_SUITE(P10KillingBlock, InLockstep);

TYPED_TEST(P10KillingBlock, InLockstepEarly) {
  left_out_alone<TypeParam>(options_of<TypeParam>(StandbyMode::lockstep), When::early, How::abort);
}
TYPED_TEST(P10KillingBlock, InLockstepLate) {
  const bool forgets = std::is_same_v<TypeParam, FragileWindow>;
  left_out_alone<TypeParam>(options_of<TypeParam>(StandbyMode::lockstep), When::late, How::abort, !forgets);
}
TYPED_TEST(P10KillingBlock, OfThreeInLockstep) {
  StandbyOptions options = options_of<TypeParam>(StandbyMode::lockstep);
  options.replicas = 3;
  left_out_alone<TypeParam>(options, When::early, How::sigsegv);
}
TYPED_TEST(P10KillingBlock, OfOne) {
  StandbyOptions options = options_of<TypeParam>(StandbyMode::lockstep);
  options.replicas = 1;
  left_out_alone<TypeParam>(options, When::early, How::abort);
}
TYPED_TEST(P10KillingBlock, WithASpare) {
  StandbyOptions options = options_of<TypeParam>(StandbyMode::lockstep);
  options.spare = true;
  left_out_alone<TypeParam>(options, When::late, How::abort, true);
}
TYPED_TEST(P10KillingBlock, ByAKillFromItself) {
  left_out_alone<TypeParam>(options_of<TypeParam>(StandbyMode::lockstep), When::early, How::sigkill);
}

TEST(P10KillingBlockWhereOneWorks, ReplaySaved) {
  for (const When when : {When::early, When::late})
    for (const How how : {How::abort, How::exit})
      left_out_alone<FragileSaved>(options_of<FragileSaved>(StandbyMode::replay), when, how);
}
TEST(P10KillingBlockWhereOneWorks, ReplayReplayed) {
  for (const When when : {When::early, When::late})
    left_out_alone<FragileWindow>(options_of<FragileWindow>(StandbyMode::replay), when, How::abort);
}
TEST(P10KillingBlockWhereOneWorks, Stateless) {
  for (const How how : {How::abort, How::sigkill})
    left_out_alone<FragileTwice>(options_of<FragileTwice>(StandbyMode::stateless), When::late, how);
}

/// Killers next to each other, and the first block of all.
TEST(P10KillingBlocks, InARow) {
  for (const StandbyMode mode : {StandbyMode::lockstep, StandbyMode::replay}) {
    Checked<FragileWindow> stream(options_of<FragileWindow>(mode));
    for (int killers = 0; killers < 8; ++killers) stream.send_killer(How::abort);
    stream.send(40);
    for (int killers = 0; killers < 8; ++killers) {
      stream.send_killer(How::exit);
      stream.send(1);
    }
    stream.send(40);
    EXPECT_EQ(stream.channel().stats().left_out, 16U);
    EXPECT_EQ(stream.channel().stats().states_lost, 0U);
    EXPECT_EQ(stream.channel().broken(), "");
  }
}

/// Not without end.
TEST(P10KillingBlocks, AndNothingElse) {
  StandbyOptions options = options_of<FragileWindow>(StandbyMode::lockstep);
  options.breaker_deaths = 1;
  Checked<FragileWindow> stream(options);
  stream.send(1);
  while (stream.channel().broken().empty()) stream.send_killer(How::abort);
  EXPECT_THAT(stream.channel().broken(), ::testing::HasSubstr("replicas in a row died before they were in step"));
}

TEST(P10KillingBlocks, ThatHang) {
  StandbyOptions options = options_of<FragileSaved>(StandbyMode::lockstep);
  Checked<FragileSaved> stream(options);
  stream.send(29);
  stream.send_killer(How::hang);
  stream.send(50);
  EXPECT_EQ(stream.channel().stats().left_out, 1U);
  EXPECT_EQ(stream.channel().stats().states_lost, 0U);
}

/// Kills two that are named, and nobody else.
class KillsTwo : public FragileWindow {
 public:
  explicit KillsTwo(const std::string& beacon) : beacon_(beacon) {}
  void process(std::span<const std::byte> in, std::span<std::byte> out) {
    const auto pid = static_cast<std::uint64_t>(::getpid());
    if ((Word::from(in).value & kills) != 0 && (beacon_.told(0) == pid || beacon_.told(1) == pid)) std::abort();
    Word{model_.take(Word::from(in).value)}.to(out);
  }

 private:
  Beacon beacon_;
};

/// Whether it is left out then is a matter of time; all must do the same, and the caller be told what.
TEST(P10KillingBlocks, ThatAnotherOneSurvives) {
  for (int round = 0; round < 5; ++round) {
    Beacon beacon;
    StandbyOptions options = options_of<KillsTwo>(StandbyMode::lockstep);
    options.replicas = 3;
    StandbyChannel<KillsTwo> channel(options, beacon.path());
    WindowModel model;
    const auto send = [&](std::uint64_t value) {
      std::array<std::byte, 8> in{};
      std::array<std::byte, 8> out{};
      Word{value}.to(in);
      if (channel.process(in, out, std::chrono::steady_clock::now() + 60s) == BlockOutcome::late) return false;
      EXPECT_EQ(Word::from(out).value, model.take(value));
      return true;
    };
    for (std::uint64_t block = 1; block <= 300; ++block) ASSERT_TRUE(send(block));
    for (const std::size_t victim : {0, 1})
      beacon.tell(static_cast<std::uint64_t>(channel.replica_pids().at(victim)), victim);
    const bool answered = send(kills | 1);
    while (channel.stats().deaths < 2) std::this_thread::yield();
    for (std::uint64_t block = 1; block <= 12; ++block) ASSERT_TRUE(send(block));
    ASSERT_TRUE(channel.wait_in_step(3));
    // Those who stood in the window of the killer when they came, one after another.
    for (const std::int64_t pid : channel.replica_pids()) {
      const std::uint64_t deaths = channel.stats().deaths;
      kill_by_pidfd(pid, SIGKILL);
      while (channel.stats().deaths == deaths) ASSERT_TRUE(send(1));  // until then it counts as in step
      for (std::uint64_t block = 1; block <= 5; ++block) ASSERT_TRUE(send(block));
      ASSERT_TRUE(channel.wait_in_step(3));
    }
    EXPECT_EQ(channel.stats().left_out, answered ? 0U : 1U);
    EXPECT_EQ(channel.stats().states_lost, 0U);
  }
}

enum GateWord : std::size_t { closed_word, waiting_word, open_word };

/// Its constructor waits at a gate, if that is closed.
class Gated : public FragileForked {
 public:
  explicit Gated(const std::string& path) {
    Beacon gate(path);
    if (gate.told(closed_word) == 0) return;
    gate.add(1, waiting_word);
    gate.wait(open_word);
  }
};

/// One that was to process all blocks, and had not begun yet when the others died, begins anew as those do who come then.
TEST(P10Anew, WhoHasNotBegunYetBeginsWithTheOthers) {
  Beacon gate;
  StandbyOptions options = options_of<Gated>(StandbyMode::lockstep);
  options.hang_after = 1h;
  Checked<Gated> stream(options, gate.path());
  stream.send(10);
  const std::vector<std::int64_t> pids = stream.channel().replica_pids();
  ASSERT_EQ(pids.size(), 2U);
  gate.tell(1, closed_word);
  kill_by_pidfd(pids[0], SIGKILL);
  gate.wait(waiting_word);
  stream.send(700);  // the history holds all of them, but not for long
  for (const int signal : {SIGSTOP, SIGKILL}) kill_by_pidfd(pids[1], signal);
  while (stream.channel().stats().states_lost == 0) std::this_thread::yield();
  gate.tell(1, open_word);
  stream.send(50);
  ASSERT_TRUE(stream.channel().wait_in_step(2));
  for (const std::int64_t pid : stream.channel().replica_pids()) {
    const std::uint64_t deaths = stream.channel().stats().deaths;
    kill_by_pidfd(pid, SIGKILL);
    while (stream.channel().stats().deaths == deaths) stream.send(1);  // until then it counts as in step
    stream.send(50);
    ASSERT_TRUE(stream.channel().wait_in_step(2));
  }
  EXPECT_EQ(stream.channel().stats().states_lost, 1U);
}

template <class P>
class LongP10KillingBlocks : public ::testing::Test {};
TYPED_TEST_SUITE(LongP10KillingBlocks, InLockstep);

/// At random, among kills from outside.
TYPED_TEST(LongP10KillingBlocks, AtRandom) {
  for (unsigned seed = 1; seed <= 10; ++seed) {
    std::minstd_rand random(seed);
    StandbyOptions options = options_of<TypeParam>(StandbyMode::lockstep);
    options.replicas = 1 + seed % 3;
    options.spare = seed % 2 == 0;
    options.breaker_deaths = 1'000'000;
    Checked<TypeParam> stream(options);
    std::uint64_t killers = 0;
    for (int step = 0; step < 100; ++step) {
      stream.send(1 + static_cast<int>(random() % 60));
      if (random() % 4 == 0) {
        stream.channel().strike(How::sigkill);
      } else if (random() % 4 == 0) {
        stream.send_killer(random() % 2 == 0 ? How::abort : How::exit);
        ++killers;
      }
    }
    EXPECT_EQ(stream.channel().stats().left_out, killers);
    EXPECT_EQ(stream.channel().broken(), "");
  }
}

}  // namespace
}  // namespace hotspare::testing
