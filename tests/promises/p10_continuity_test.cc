#include "support/stream.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <mutex>
#include <string>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

/// P10. A standby channel answers each block while its replicas are being killed. That no block is late in real time is the
/// benchmark's to show; here deadlines are far away, and each answer has to come and to be the right one.
namespace hotspare::testing {
namespace {

using namespace std::chrono_literals;

template <class P>
StandbyOptions options_for(StandbyMode mode) {
  StandbyOptions options = small_channel(mode);
  if (std::is_same_v<P, Window>) options.replay_blocks = Window::blocks;
  return options;
}

template <class P, StandbyMode kMode>
struct Flavour {
  using Processor = P;
  static constexpr StandbyMode mode = kMode;
};

template <class F>
class P10Continuity : public ::testing::Test {
 protected:
  using P = typename F::Processor;
  static StandbyOptions options() { return options_for<P>(F::mode); }
};

using Flavours = ::testing::Types<Flavour<Chain, StandbyMode::lockstep>,       // heirs are forked by survivors
                                  Flavour<SavedChain, StandbyMode::lockstep>,  // survivors save for them
                                  Flavour<Window, StandbyMode::lockstep>,      // they replay
                                  Flavour<SavedChain, StandbyMode::replay>, Flavour<Window, StandbyMode::replay>,
                                  Flavour<Twice, StandbyMode::stateless>>;
struct FlavourNames {
  template <class F>
  static std::string GetName(int index) {
    constexpr const char* names[] = {"LockstepForked", "LockstepSaved",  "LockstepReplayed",
                                     "ReplaySaved",    "ReplayReplayed", "Stateless"};
    return names[index];
  }
};
TYPED_TEST_SUITE(P10Continuity, Flavours, FlavourNames);

TYPED_TEST(P10Continuity, AnUndisturbedStream) {
  Stream<typename TestFixture::P> stream(this->options());
  stream.send_and_check(500);
  const StandbyStats stats = stream.channel().stats();
  EXPECT_EQ(stats.blocks, 500u);
  EXPECT_EQ(stats.answered, 500u);
  EXPECT_EQ(stats.late, 0u);
  EXPECT_EQ(stats.deaths, 0u);
  EXPECT_EQ(stats.in_step, 2u);
  EXPECT_EQ(stats.latency.count(), 500u);
}

/// Each way, again and again: each answer is the one that an undisturbed stream would have given.
TYPED_TEST(P10Continuity, EachWayToDieIsInvisible) {
  using chaos::How;
  Stream<typename TestFixture::P> stream(this->options());
  stream.send_and_check(100);
  std::uint64_t deaths = 0;
  const std::vector<How> quick{How::sigkill, How::sigsegv, How::abort, How::exit, How::stack_overflow, How::raise};
  const std::vector<How> hung{How::hang, How::stop};
  for (int round = 0; round < 3; ++round) {
    for (const How how : round < 2 ? quick : hung) {
      const std::vector<std::int64_t> pids = stream.channel().replica_pids();
      stream.strike_one(pids, static_cast<std::size_t>(round), how);
      stream.recover(++deaths);
    }
  }
  const StandbyStats stats = stream.channel().stats();
  EXPECT_EQ(stats.late, 0u);
  EXPECT_EQ(stats.deaths, stream.struck()) << stream.story();
  EXPECT_EQ(stats.hangs, hung.size());
  EXPECT_EQ(stats.takeovers, stats.deaths);
  EXPECT_EQ(stats.rejoined, stats.deaths);
  EXPECT_EQ(stats.states_lost, 0u);
}

TYPED_TEST(P10Continuity, ReportsSayWhatItWas) {
  using chaos::How;
  Stream<typename TestFixture::P> stream(this->options());
  std::uint64_t deaths = 0;
  std::vector<Cause> causes;
  for (const How how : {How::sigkill, How::sigsegv, How::exit, How::stack_overflow, How::raise, How::hang, How::stop}) {
    const std::vector<std::int64_t> pids = stream.channel().replica_pids();
    stream.strike_one(pids, 0, how);
    stream.recover(++deaths);
    const std::vector<CrashReport> reports = stream.reports(deaths);
    ASSERT_EQ(reports.size(), deaths);
    causes.push_back(reports.back().cause);
    EXPECT_THAT(reports.back().task_name, ::testing::StartsWith("block "));
    if (how != How::sigkill && how != How::exit) {
      EXPECT_FALSE(reports.back().native_stack().empty());
    }
  }
  EXPECT_THAT(causes, ::testing::ElementsAre(Cause::signal, Cause::signal, Cause::exited, Cause::stack_overflow,
                                             Cause::terminated, Cause::deadline, Cause::deadline));
}

/// From outside and at any instant, one at a time.
TYPED_TEST(P10Continuity, KillsAtRandomInstants) {
  Stream<typename TestFixture::P> stream(this->options());
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> kills{0};
  std::thread saboteur([&] {
    for (unsigned n = 0; n < 40 && !done; ++n) {
      if (!stream.channel().wait_in_step(2)) break;
      const std::vector<std::int64_t> pids = stream.channel().replica_pids();
      const std::uint64_t deaths = stream.channel().stats().deaths;
      kill_by_pidfd(pids[n % pids.size()], SIGKILL);
      ++kills;
      while (stream.channel().stats().deaths == deaths && !done) std::this_thread::yield();
    }
    done = true;
  });
  while (!done) stream.send_and_check(1);
  saboteur.join();
  stream.send_and_check(100);
  const StandbyStats stats = stream.channel().stats();
  EXPECT_EQ(stats.deaths, kills.load());
  EXPECT_EQ(stats.late, 0u);
  EXPECT_EQ(stats.states_lost, 0u);
}

/// All but one at once: who survives can give its state to one at a time, so the others have to come one after another.
TYPED_TEST(P10Continuity, MostDieAtOnce) {
  StandbyOptions options = this->options();
  options.replicas = 4;
  Stream<typename TestFixture::P> stream(options);
  stream.send_and_check(100);
  const std::vector<std::int64_t> pids = stream.channel().replica_pids();
  ASSERT_EQ(pids.size(), 4u);
  for (std::size_t i = 1; i < pids.size(); ++i) kill_by_pidfd(pids[i], SIGKILL);
  while (stream.channel().stats().deaths < 3 || stream.channel().stats().in_step < 4) stream.send_and_check(1);
  EXPECT_EQ(stream.channel().stats().late, 0u);
  EXPECT_EQ(stream.channel().stats().states_lost, 0u);
}

int parent_of(std::int64_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(status, text);
  int parent = 0;
  std::sscanf(text.substr(text.rfind(')') + 4).c_str(), "%d", &parent);
  return parent;
}

TYPED_TEST(P10Continuity, TheZygoteMayDieToo) {
  Stream<typename TestFixture::P> stream(this->options());
  std::uint64_t deaths = 0;
  for (int round = 0; round < 3; ++round) {
    const std::vector<std::int64_t> pids = stream.channel().replica_pids();
    if (round == 0) kill_by_pidfd(parent_of(pids[0]), SIGKILL);
    while (stream.channel().stats().zygote_deaths == 0) stream.send_and_check(1);
    kill_by_pidfd(pids[0], SIGKILL);
    stream.recover(++deaths);
  }
  EXPECT_EQ(stream.channel().stats().late, 0u);
}

TEST(P10AllDie, TheStreamGoesOnWithoutTheStateAndSaysSo) {
  StandbyOptions options = small_channel(StandbyMode::lockstep);
  options.history = 16384;  // with all blocks at hand they would be processed again
  Stream<Chain> stream(options);
  stream.send_and_check(10'000);
  const std::vector<std::int64_t> pids = stream.channel().replica_pids();
  for (const int signal :
       {SIGSTOP, SIGKILL})  // stopped first: none can fork an heir when it hears of the other's death
    for (const std::int64_t pid : pids) kill_by_pidfd(pid, signal);
  while (stream.channel().stats().deaths < 2) std::this_thread::yield();
  ASSERT_TRUE(stream.channel().wait_in_step(2));
  std::uint64_t fresh = 0;
  for (std::uint64_t i = 0; i < 50; ++i) {
    fresh = Chain::next(fresh, i);
    ASSERT_EQ(stream.send(i), fresh) << "block " << i;
  }
  EXPECT_EQ(stream.channel().stats().states_lost, 1u);
}

enum HeirWord : std::size_t { waiting_word = struck_word + 1, go_word };

/// Its heirs stop in their first block until they are told to go on: they have the state, and are not in step.
class SlowHeirs : public PlainChain {
 public:
  explicit SlowHeirs(const std::string& beacon) : PlainChain(beacon), beacon_(beacon), maker_(::getpid()) {}
  void process(std::span<const std::byte> in, std::span<std::byte> out) {
    if (::getpid() != maker_ && beacon_.told(go_word) == 0) beacon_.add(1, waiting_word);
    while (::getpid() != maker_ && beacon_.told(go_word) == 0) std::this_thread::yield();
    PlainChain::process(in, out);
  }

 private:
  Beacon beacon_;
  int maker_;
};

StandbyOptions slow_heirs() {
  StandbyOptions options = small_channel(StandbyMode::lockstep);
  options.history = 16384;  // with all blocks at hand they would be processed again
  return options;
}

/// All who were in step are dead then, and somebody has the state.
void leave_only_an_heir(Stream<SlowHeirs>& stream) {
  stream.send_and_check(10'000);
  const std::vector<std::int64_t> pids = stream.channel().replica_pids();
  kill_by_pidfd(pids[0], SIGKILL);
  while (stream.beacon().told(waiting_word) == 0) stream.send_and_check(1);
  kill_by_pidfd(pids[1], SIGKILL);
  while (stream.channel().stats().deaths < 2) std::this_thread::yield();
}

TEST(P10AllDie, ButAnHeirThatHasTheState) {
  if (under_tsan()) GTEST_SKIP() << "no heir is forked there";
  StandbyOptions options = slow_heirs();
  options.hang_after = 1h;
  Stream<SlowHeirs> stream(options);
  leave_only_an_heir(stream);
  stream.beacon().tell(1, go_word);
  stream.send_and_check(100);
  ASSERT_TRUE(stream.channel().wait_in_step(2));
  stream.send_and_check(100);
  EXPECT_EQ(stream.channel().stats().states_lost, 0u);
  EXPECT_EQ(stream.channel().stats().deaths, 2u);
}

TEST(P10AllDie, ButAnHeirThatHangs) {
  if (under_tsan()) GTEST_SKIP() << "no heir is forked there";
  StandbyOptions options = slow_heirs();
  options.hang_after = 100ms;
  Stream<SlowHeirs> stream(options);
  leave_only_an_heir(stream);
  stream.send(1);
  stream.beacon().tell(1, go_word);
  ASSERT_TRUE(stream.channel().wait_in_step(2));
  EXPECT_GE(stream.channel().stats().hangs, 1u);
  EXPECT_EQ(stream.channel().stats().states_lost, 1u);
}

/// Nobody answers: the caller is back at its deadline with what its policy says.
TEST(P10Late, PoliciesSayWhatTheCallerGets) {
  const std::pair<WhenLate, std::uint64_t> cases[] = {
      {WhenLate::silence, 0}, {WhenLate::repeat, 10}, {WhenLate::bypass, 7}};
  for (const auto& [policy, value] : cases) {
    StandbyOptions options = small_channel(StandbyMode::stateless);
    options.when_late = policy;
    Beacon beacon;
    StandbyChannel<Twice> channel(options, beacon.path());
    std::array<std::byte, 8> in{};
    std::array<std::byte, 8> out{};
    Word{5}.to(in);
    ASSERT_EQ(channel.process(in, out, std::chrono::steady_clock::now() + 60s), BlockOutcome::answered);
    EXPECT_EQ(Word::from(out).value, 10u);
    for (const std::int64_t pid : channel.replica_pids()) kill_by_pidfd(pid, SIGSTOP);
    Word{7}.to(in);
    EXPECT_EQ(channel.process(in, out), BlockOutcome::late);
    EXPECT_EQ(Word::from(out).value, value);
    EXPECT_EQ(channel.stats().late, 1u);
  }
}

class Refuses {
 public:
  explicit Refuses(int) { throw std::runtime_error("no such plug-in"); }
  void process(std::span<const std::byte>, std::span<std::byte>) {}
};

template <class Make>
std::string error_of(Make make) {
  try {
    make();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// Dies of every block that is not 0.
class Brittle {
 public:
  void process(std::span<const std::byte> in, std::span<std::byte> out) {
    if (Word::from(in).value != 0) std::abort();
    std::ranges::copy(in, out.begin());
  }
};

class P10GivesUp : public ::testing::TestWithParam<StandbyMode> {};

TEST_P(P10GivesUp, WhenTooManyDieAndEachBlockIsLateAtOnceThen) {
  Signals given_up;
  StandbyOptions options;
  options.bytes_in = options.bytes_out = 8;
  options.period = 1ms;
  options.start = start_method();
  options.mode = GetParam();
  options.when_late = WhenLate::bypass;
  options.most_deaths = 6;
  options.deaths_within = 1h;
  options.replica_stderr = Stderr::capture;
  std::string why;
  options.on_event = [&](const Event& event) {
    if (event.kind != Event::Kind::broken) return;
    why = event.detail;
    given_up.give();
  };
  StandbyChannel<Brittle> channel(options);
  std::array<std::byte, 8> in{};
  std::array<std::byte, 8> out{};
  for (std::uint64_t block = 0; channel.broken().empty(); ++block) {
    Word{block % 5}.to(in);
    channel.process(in, out, std::chrono::steady_clock::now() + 1ms);
  }
  given_up.take();
  EXPECT_THAT(why, ::testing::HasSubstr("gives up: 6 replicas died within"));
  EXPECT_THAT(why, ::testing::HasSubstr("most_deaths"));
  EXPECT_THAT(why, ::testing::HasSubstr("SIGABRT"));
  while (!channel.replica_pids().empty()) std::this_thread::yield();
  EXPECT_GE(channel.stats().deaths, 6U);
  // Nobody would answer these, and their deadline is far away: the watchdog ends a test that waits for it.
  for (std::uint64_t block = 1; block < 100; ++block) {
    Word{block}.to(in);
    EXPECT_EQ(channel.process(in, out, std::chrono::steady_clock::now() + 1h), BlockOutcome::late);
    EXPECT_EQ(Word::from(out).value, block);
  }
  EXPECT_EQ(channel.stats().in_step, 0U);
}
INSTANTIATE_TEST_SUITE_P(, P10GivesUp, ::testing::Values(StandbyMode::lockstep, StandbyMode::stateless));

/// Nobody processes it a third time, so nobody needs to wait for that.
TEST_P(P10GivesUp, ABlockThatKillsTwiceIsLateAtOnce) {
  StandbyOptions options;
  options.bytes_in = options.bytes_out = 8;
  options.period = 1ms;
  options.start = start_method();
  options.patience = 1h;
  options.mode = GetParam();
  options.when_late = WhenLate::bypass;
  options.replica_stderr = Stderr::capture;
  StandbyChannel<Brittle> channel(options);
  std::array<std::byte, 8> in{};
  std::array<std::byte, 8> out{};
  for (std::uint64_t block = 0; block < 10; ++block) {
    const bool kills = block % 5 == 1;
    Word{kills}.to(in);
    EXPECT_EQ(channel.process(in, out, std::chrono::steady_clock::now() + 1h),
              kills ? BlockOutcome::late : BlockOutcome::answered)
        << block;
    EXPECT_EQ(Word::from(out).value, kills);
  }
  EXPECT_GE(channel.stats().deaths, 4U);
  EXPECT_EQ(channel.broken(), "");
}

TEST(P10GivesUpNot, ForDeathsThatAreFarApart) {
  StandbyOptions options;
  options.bytes_in = options.bytes_out = 8;
  options.period = 1ms;
  options.start = start_method();
  options.mode = StandbyMode::stateless;
  options.most_deaths = 2;
  options.deaths_within = 1ns;
  options.replica_stderr = Stderr::capture;
  StandbyChannel<Brittle> channel(options);
  std::array<std::byte, 8> in{};
  std::array<std::byte, 8> out{};
  for (std::uint64_t deaths = 1; deaths < 4; ++deaths) {
    ASSERT_NE(channel.strike(chaos::How::sigkill), 0);
    while (channel.stats().deaths < deaths || channel.stats().in_step < 2) std::this_thread::yield();
  }
  EXPECT_EQ(channel.broken(), "");
  EXPECT_EQ(channel.process(in, out, std::chrono::steady_clock::now() + 60s), BlockOutcome::answered);
}

TEST(P10BadInput, AProcessorThatCannotBeMade) {
  EXPECT_THAT(error_of([] { StandbyChannel<Refuses> channel(small_channel(StandbyMode::lockstep), 1); }),
              ::testing::HasSubstr("no such plug-in"));
}

TEST(P10BadInput, OptionsOutOfRange) {
  const Beacon beacon;
  const auto error_with = [&](auto change) {
    StandbyOptions options = small_channel(StandbyMode::lockstep);
    change(options);
    return error_of([&] { StandbyChannel<PlainChain> channel(options, beacon.path()); });
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(error_with([](auto& o) { o.replicas = 0; }), HasSubstr("replicas must be 1 to 8"));
  EXPECT_THAT(error_with([](auto& o) { o.bytes_out = 0; }), HasSubstr("bytes_out must be"));
  EXPECT_THAT(error_with([](auto& o) { o.period = 1us; }), HasSubstr("period must be"));
  EXPECT_THAT(error_with([](auto& o) { o.realtime_priority = 3; }), HasSubstr("realtime_priority must be"));
  EXPECT_THAT(error_with([](auto& o) { o.rejoin = Rejoin::saved; }), HasSubstr("save and load"));
  EXPECT_THAT(error_with([](auto& o) { o.rejoin = Rejoin::replayed; }), HasSubstr("replay_blocks"));
  EXPECT_THAT(error_with([](auto& o) { o.mode = StandbyMode::replay; }), HasSubstr("mode: replay needs"));
  EXPECT_THAT(error_with([](auto& o) { o.history = 3; }), HasSubstr("history must be"));
}

TEST(P10BadInput, BlocksOfAnotherSize) {
  const Beacon beacon;
  StandbyChannel<Twice> channel(small_channel(StandbyMode::stateless), beacon.path());
  std::array<std::byte, 4> in{};
  std::array<std::byte, 8> out{};
  EXPECT_THROW(channel.process(in, out), Error);
  EXPECT_EQ(channel.stats().blocks, 0u) << "it cost nothing else";
}

}  // namespace
}  // namespace hotspare::testing
