#include "support/stream.hpp"
#include "support/under_tsan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <linux/capability.h>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

/// P10 at its edges: deadlines that have passed and limits that never will, a fork of the host, a bell that rings without
/// pause, memory that may not be locked, a state that cannot be saved, a replica that only writes to stderr.
namespace hotspare::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::HasSubstr;
using Instant = std::chrono::steady_clock::time_point;

template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

template <class P>
BlockOutcome process(StandbyChannel<P>& channel, std::uint64_t value, Instant deadline) {
  std::array<std::byte, 8> in{};
  std::array<std::byte, 8> out{};
  Word{value}.to(in);
  return channel.process(in, out, deadline);
}
constexpr auto far = 60s;
Instant from_now(std::chrono::nanoseconds time) { return std::chrono::steady_clock::now() + time; }

template <class P>
void stop_all(StandbyChannel<P>& channel) {
  for (const std::int64_t pid : channel.replica_pids()) kill_by_pidfd(pid, SIGSTOP);
}

class P10Deadlines : public ::testing::TestWithParam<StandbyMode> {};

/// ctest's watchdog ends what waits for them.
TEST_P(P10Deadlines, ThatHavePassedAreLateAtOnce) {
  StandbyOptions options = small_channel(GetParam());
  options.hang_after = 1h;
  const Beacon beacon;
  StandbyChannel<SavedChain> channel(options, beacon.path());
  ASSERT_EQ(process(channel, 1, from_now(far)), BlockOutcome::answered);
  stop_all(channel);
  for (const Instant deadline : {Instant::min(), Instant(-1ns), Instant(), Instant(1ns), from_now(-1h)})
    EXPECT_EQ(process(channel, 1, deadline), BlockOutcome::late);
  EXPECT_EQ(channel.stats().late, 5U);
}

/// As a sum with the time of now they would not fit into 64 bits.
TEST_P(P10Deadlines, HoldBesideTheLongestLimits) {
  constexpr auto longest = std::chrono::nanoseconds::max();
  StandbyOptions options = small_channel(GetParam());
  options.hang_after = longest;
  options.patience = longest;
  options.most_deaths = 100;
  options.deaths_within = longest;
  const Beacon beacon;
  StandbyChannel<SavedChain> channel(options, beacon.path());
  for (int block = 0; block < 20; ++block) ASSERT_EQ(process(channel, 1, Instant::max()), BlockOutcome::answered);
  ASSERT_NE(channel.strike(chaos::How::sigkill), 0);
  ASSERT_EQ(process(channel, 1, from_now(far)), BlockOutcome::answered);
  ASSERT_TRUE(channel.wait_in_step(2));
  stop_all(channel);
  EXPECT_EQ(process(channel, 1, from_now(5ms)), BlockOutcome::late);
  EXPECT_EQ(channel.stats().hangs, 0U);
}

INSTANTIATE_TEST_SUITE_P(, P10Deadlines,
                         ::testing::Values(StandbyMode::lockstep, StandbyMode::replay, StandbyMode::stateless));

/// The bells lie at the begin of a mapping that each replica may write.
class RingsWithoutPause {
 public:
  void process(std::span<const std::byte> in, std::span<std::byte> out) {
    std::ranges::copy(in, out.begin());
    if (Word::from(in).value == 0) return;
    auto* const bell = reinterpret_cast<std::atomic<std::uint32_t>*>(writable_mapping("hotspare-standby-bells"));
    for (;;) bell->fetch_add(1);
  }

 private:
  static std::uintptr_t writable_mapping(const std::string& name) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
      if (line.find(name) != std::string::npos && line.find("rw-s") != std::string::npos)
        return std::stoull(line.substr(0, line.find('-')), nullptr, 16);
    std::abort();
  }
};

TEST(P10Bell, RungWithoutPauseDelaysNoDeadline) {
  StandbyOptions options = small_channel(StandbyMode::lockstep);
  options.replicas = 1;
  options.hang_after = 1h;
  StandbyChannel<RingsWithoutPause> channel(options);
  ASSERT_EQ(process(channel, 0, from_now(far)), BlockOutcome::answered);
  EXPECT_EQ(process(channel, 1, from_now(20ms)), BlockOutcome::late);
}

TEST(P10BadInput, MoreReplicasThanThereWillBe) {
  const Beacon beacon;
  StandbyChannel<Twice> channel(small_channel(StandbyMode::stateless), beacon.path());
  EXPECT_TRUE(channel.wait_in_step(2));
  EXPECT_THAT(error_of([&] { channel.wait_in_step(3); }), HasSubstr("is to have 2 (StandbyOptions::replicas)"));
}

/// What it returns is the exit code.
int in_fork(const std::function<int()>& run) {
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(run());
  int status = 0;
  while (::waitpid(pid, &status, 0) == -1 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

TEST(P10ForkOfTheHost, IsRefusedInWordsAndHarmsNothing) {
  if (under_tsan()) GTEST_SKIP() << "it takes the threads of a fork for those of its parent";
  const Beacon beacon;
  auto channel = std::make_unique<StandbyChannel<Chain>>(small_channel(StandbyMode::lockstep), beacon.path());
  ASSERT_EQ(process(*channel, 1, from_now(far)), BlockOutcome::answered);
  const std::vector<std::function<void()>> calls{[&] { process(*channel, 1, from_now(far)); },
                                                 [&] { channel->stats(); },
                                                 [&] { channel->replica_pids(); },
                                                 [&] { channel->wait_in_step(2); },
                                                 [&] { channel->strike(chaos::How::sigkill); },
                                                 [&] { channel->broken(); }};
  const int refused = in_fork([&] {
    int words = 0;
    for (const auto& call : calls)
      words += error_of(call).find("is a fork of the one that made the channel") != std::string::npos ? 1 : 0;
    channel.reset();  // nothing of it is its own
    const Beacon of_its_own;
    StandbyOptions options = small_channel(StandbyMode::lockstep);
    options.start = Start::exec;
    StandbyChannel<Chain> own(options, of_its_own.path());
    return process(own, 1, from_now(far)) == BlockOutcome::answered ? words : 100;
  });
  EXPECT_EQ(refused, static_cast<int>(calls.size()));
  EXPECT_EQ(process(*channel, 1, from_now(far)), BlockOutcome::answered);
  EXPECT_EQ(channel->stats().deaths, 0U);
}

bool give_up_the_right_to_lock() {
  constexpr std::uint32_t capability = 1U << CAP_IPC_LOCK;
  static_cast<void>(::prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK));
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
  for (std::uint32_t* const each : {&data[0].effective, &data[0].permitted, &data[0].inheritable}) *each &= ~capability;
  return ::syscall(SYS_capset, &header, data.data()) == 0;
}

constexpr int may_not = 77;

/// Goes on, and says what it does without.
int with_memory_locked_under(rlim_t limit, const std::string& words) {
  const rlimit most{limit, limit};
  if (!give_up_the_right_to_lock() || ::setrlimit(RLIMIT_MEMLOCK, &most) != 0) return may_not;
  StandbyOptions options = small_channel(StandbyMode::lockstep);
  options.lock_memory = true;
  std::atomic<bool> told{false};
  options.on_event = [&](const Event& event) { told = told || event.kind == Event::Kind::unavailable; };
  const Beacon beacon;
  try {
    auto channel = std::make_unique<StandbyChannel<SavedChain>>(options, beacon.path());
    if (process(*channel, 1, from_now(far)) != BlockOutcome::answered) return 2;
    const std::vector<std::string> missing = channel->stats().unavailable;
    channel.reset();  // and with it whoever tells
    if (!told) return 3;
    for (const std::string& each : missing)
      if (each.find(words) != std::string::npos) return 0;
    return 4;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 5;
  }
}

TEST(P10LockedMemory, ThatIsNotToBeHadIsTold) {
  if (under_tsan()) GTEST_SKIP() << "it maps more than any limit";
  const auto in_64_kib = [] { return with_memory_locked_under(64 << 10, "memory of replicas is not locked"); };
  EXPECT_EQ(in_fork(in_64_kib), 0);
  const auto in_4_gib = [] { return with_memory_locked_under(rlim_t{4} << 30, "allocate later is not locked"); };
  const int later = in_fork(in_4_gib);
  EXPECT_TRUE(later == 0 || later == may_not) << later;  // may_not: the limit cannot be raised so far
}

/// Its state has 8 bytes a block.
class Grows {
 public:
  void process(std::span<const std::byte> in, std::span<std::byte> out) {
    all_.push_back(Word::from(in).value);
    Word{all_.size()}.to(out);
  }
  std::size_t save(std::span<std::byte> room) const {
    const std::size_t size = all_.size() * sizeof all_[0];
    if (size <= room.size()) std::memcpy(room.data(), all_.data(), size);
    return size;
  }
  void load(std::span<const std::byte> state) {
    all_.resize(state.size() / sizeof all_[0]);
    std::memcpy(all_.data(), state.data(), state.size());
  }

 private:
  std::vector<std::uint64_t> all_;
};

/// Whom nobody can have a state from.
class CannotBeSaved : public Grows {
 public:
  std::size_t save(std::span<std::byte>) const { throw std::runtime_error("the licence forbids it"); }
};

/// One dies, and cannot be replaced: the other one goes on, and why is told.
template <class P>
void refuse_to_save(const std::string& why) {
  StandbyOptions options = small_channel(StandbyMode::lockstep);
  options.state_bytes = 1024;
  Signals told;
  options.on_event = [&](const Event& event) {
    if (event.kind == Event::Kind::unavailable && event.detail.find(why) != std::string::npos) told.give();
  };
  StandbyChannel<P> channel(options);
  std::array<std::byte, 8> in{};
  std::array<std::byte, 8> out{};
  std::uint64_t blocks = 0;
  const auto send = [&](std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      ASSERT_EQ(channel.process(in, out, from_now(far)), BlockOutcome::answered);
      ASSERT_EQ(Word::from(out).value, ++blocks);
    }
  };
  send(300);
  ASSERT_NE(channel.strike(chaos::How::sigkill), 0);
  told.take();
  send(300);
  const StandbyStats stats = channel.stats();
  EXPECT_THAT(stats.unavailable, Contains(HasSubstr(why)));
  EXPECT_EQ(stats.deaths, 1U);
  EXPECT_EQ(stats.states_lost, 0U);
  EXPECT_EQ(stats.late, 0U);
  EXPECT_EQ(stats.in_step, 1U);
}

TEST(P10States, OneThatHasOutgrownItsRoomCostsNobodyHisLife) {
  refuse_to_save<Grows>("bytes, and StandbyOptions::state_bytes is 1024");
}
TEST(P10States, OneThatCannotBeSavedCostsNobodyHisLife) { refuse_to_save<CannotBeSaved>("the licence forbids it"); }

/// Writes to stderr until it is told to stop.
class Floods {
 public:
  explicit Floods(const std::string& beacon) : beacon_(beacon) {}
  void process(std::span<const std::byte> in, std::span<std::byte> out) {
    std::ranges::copy(in, out.begin());
    if (Word::from(in).value == 0) return;
    const std::string line(1000, 'x');
    for (; beacon_.told(1) == 0; beacon_.add(1, 0)) std::fprintf(stderr, "%s\n", line.c_str());
  }

 private:
  Beacon beacon_;
};

TEST(P10Stderr, AFloodKeepsNobodyFromTheChannel) {
  StandbyOptions options = small_channel(StandbyMode::stateless);
  options.hang_after = 1h;
  options.patience = 1h;
  Beacon beacon;
  StandbyChannel<Floods> channel(options, beacon.path());
  ASSERT_EQ(process(channel, 0, from_now(far)), BlockOutcome::answered);
  EXPECT_EQ(process(channel, 1, from_now(1ms)), BlockOutcome::late);
  beacon.wait();
  for (int look = 0; look < 1000; ++look) ASSERT_EQ(channel.stats().deaths, 0U);
  beacon.tell(1, 1);
  EXPECT_EQ(process(channel, 0, from_now(far)), BlockOutcome::answered);
}

}  // namespace
}  // namespace hotspare::testing
