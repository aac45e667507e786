#include "support/stream.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

/// P10. The spare: one replica more, for whose answers nobody waits, takes the place of the one that dies; those in step do
/// nothing but blocks.
namespace hotspare::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

StandbyOptions with_spare() {
  StandbyOptions options = small_channel(StandbyMode::lockstep);
  options.spare = true;
  return options;
}

/// One block, and the pause until the next: for waits of seconds. Without it a replica that has to wait for a CPU is soon too far
/// behind, and dies of that.
template <class P>
void send_in_time(Stream<P>& stream) {
  stream.send_and_check(1);
  std::this_thread::sleep_for(1ms);  // style: the pace of the stream; nothing is waited for
}

/// One that is not the same as before follows. Blocks flow meanwhile.
template <class P>
std::int64_t next_spare(Stream<P>& stream, std::int64_t before = 0) {
  while (stream.channel().stats().spares == 0 || stream.spares().back() == before) send_in_time(stream);
  return stream.spares().back();
}

template <class P>
class P10Spare : public ::testing::Test {};
using Processors = ::testing::Types<Chain, SavedChain, Window>;  // forked, saved, replayed
TYPED_TEST_SUITE(P10Spare, Processors);

template <class P>
StandbyOptions options_of() {
  StandbyOptions options = with_spare();
  if (std::is_same_v<P, Window>) options.replay_blocks = Window::blocks;
  return options;
}

TYPED_TEST(P10Spare, TakesThePlaceAndIsReplaced) {
  Stream<TypeParam> stream(options_of<TypeParam>());
  std::int64_t spare = 0;
  for (std::uint64_t deaths = 1; deaths <= 5; ++deaths) {
    spare = next_spare(stream, spare);
    stream.send_and_check(200);
    const std::vector<std::int64_t> pids = stream.channel().replica_pids();
    EXPECT_THAT(pids, Not(Contains(spare)));
    kill_by_pidfd(pids[deaths % 2], SIGKILL);
    stream.recover(deaths);
    EXPECT_THAT(stream.channel().replica_pids(), Contains(spare));
  }
  const StandbyStats stats = stream.channel().stats();
  EXPECT_EQ(stats.late, 0u);
  EXPECT_EQ(stats.states_lost, 0u);
  EXPECT_EQ(stats.hangs, 0u);
  EXPECT_EQ(stats.rejoined, 5u);
}

/// Nobody whom the caller relies on is left, and still nothing is lost.
TYPED_TEST(P10Spare, HasTheStateWhenAllOthersDie) {
  Stream<TypeParam> stream(options_of<TypeParam>());
  next_spare(stream);
  stream.send_and_check(10'000);
  next_spare(stream);  // should this machine have had no time for the one before
  const std::vector<std::int64_t> pids = stream.channel().replica_pids();
  ASSERT_EQ(pids.size(), 2u);
  for (const std::int64_t pid : pids) kill_by_pidfd(pid, SIGKILL);
  stream.recover(2);
  stream.send_and_check(100);
  const StandbyStats stats = stream.channel().stats();
  EXPECT_EQ(stats.late, 0u);
  EXPECT_EQ(stats.states_lost, 0u);
  EXPECT_EQ(stats.deaths, 2u);
}

TYPED_TEST(P10Spare, MayDieItself) {
  Stream<TypeParam> stream(options_of<TypeParam>());
  std::int64_t spare = 0;
  for (std::uint64_t deaths = 1; deaths <= 5; ++deaths) {
    spare = next_spare(stream, spare);
    stream.send_and_check(100);
    kill_by_pidfd(spare, SIGKILL);
    while (stream.channel().stats().deaths < deaths) stream.send_and_check(1);
  }
  next_spare(stream, spare);
  const StandbyStats stats = stream.channel().stats();
  EXPECT_EQ(stats.late, 0u);
  EXPECT_EQ(stats.takeovers, 0u) << "nobody had to go on for it";
  EXPECT_EQ(stats.deaths_before_ready, 0u);
}

/// It has no time: it leaves, which is no death, and that is said. What is in step goes on.
TEST(P10SpareAlone, LeavesWhenItCannotKeepUp) {
  Stream<Chain> stream(with_spare());
  const std::int64_t spare = next_spare(stream);
  kill_by_pidfd(spare, SIGSTOP);
  stream.send_and_check(static_cast<int>(with_spare().history / 2 + 1));
  kill_by_pidfd(spare, SIGCONT);
  while (stream.channel().stats().spares != 0) send_in_time(stream);
  const auto told = stream.channel().stats().unavailable;
  EXPECT_THAT(told, Contains(HasSubstr("no time for the spare")));
  kill_by_pidfd(stream.channel().replica_pids()[0], SIGKILL);
  stream.recover(1);
  next_spare(stream, spare);  // it is tried again
  EXPECT_EQ(stream.channel().stats().late, 0u);
  EXPECT_EQ(stream.channel().stats().deaths, 1u);
}

/// Promoted, it does not come: it is ended as one that hangs, and the next one takes the place.
TEST(P10SpareAlone, ThatHangsWhenItIsNeeded) {
  StandbyOptions options = with_spare();
  options.hang_after = 100ms;
  Stream<Chain> stream(options);
  const std::int64_t spare = next_spare(stream);
  kill_by_pidfd(spare, SIGSTOP);
  kill_by_pidfd(stream.channel().replica_pids()[0], SIGKILL);
  stream.recover(2);
  const auto reports = stream.reports(2);
  EXPECT_TRUE(std::any_of(reports.begin(), reports.end(), [&](const CrashReport& report) {
    return report.pid == spare && report.cause == Cause::deadline;
  }));
  EXPECT_EQ(stream.channel().stats().late, 0u);
}

/// Its forks die in their first block.
class FragileHeirs : public PlainChain {
 public:
  explicit FragileHeirs(const std::string& beacon) : PlainChain(beacon), maker_(::getpid()) {}
  void process(std::span<const std::byte> in, std::span<std::byte> out) {
    if (::getpid() != maker_) ::raise(SIGKILL);
    PlainChain::process(in, out);
  }

 private:
  int maker_;
};

/// Nobody needs it: that none comes must not end what goes on.
TEST(P10SpareAlone, ThatDiesAgainAndAgain) {
  if (under_tsan()) GTEST_SKIP() << "no heir is forked there";
  StandbyOptions options = with_spare();
  options.breaker_deaths = 2;
  options.most_deaths = 2;
  options.deaths_within = 1h;
  Stream<FragileHeirs> stream(options);
  const std::int64_t spare = next_spare(stream);
  stream.send_and_check(1000);
  kill_by_pidfd(spare, SIGKILL);
  while (stream.channel().stats().deaths < 4) send_in_time(stream);
  EXPECT_EQ(stream.channel().broken(), "");
  EXPECT_EQ(stream.channel().stats().in_step, 2u);
  EXPECT_EQ(stream.channel().stats().late, 0u);
}

TEST(P10SpareAlone, OfAChannelOfOne) {
  StandbyOptions options = with_spare();
  options.replicas = 1;
  Stream<Chain> stream(options);
  std::int64_t spare = 0;
  for (std::uint64_t deaths = 1; deaths <= 5; ++deaths) {
    spare = next_spare(stream, spare);
    stream.send_and_check(100);
    kill_by_pidfd(stream.channel().replica_pids()[0], SIGKILL);
    while (stream.channel().stats().deaths < deaths) stream.send_and_check(1);
    ASSERT_TRUE(stream.channel().wait_in_step(1));
  }
  EXPECT_EQ(stream.channel().stats().states_lost, 0u);
}

TEST(P10SpareAlone, OnlyInLockstep) {
  StandbyOptions options = small_channel(StandbyMode::stateless);
  options.spare = true;
  try {
    const StandbyChannel<Twice> channel(options, Beacon().path());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("spare: only in lockstep"));
  }
}

}  // namespace
}  // namespace hotspare::testing
