#include "support/gate.hpp"
#include "support/no_processes.hpp"
#include "support/standby.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <grp.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

/// P10 where the kernel refuses something, somebody stops a process of ours, or a constructor never returns: the stream goes
/// on, and the channel becomes whole again.
namespace hotspare::testing {
namespace {

using namespace std::chrono_literals;

/// How many blocks there were. Needs no file, so that a channel of it works under any user.
class Count {
 public:
  explicit Count(int first) : count_(static_cast<std::uint64_t>(first)) {}
  void process(std::span<const std::byte> /*in*/, std::span<std::byte> out) { Word{++count_}.to(out); }
  std::size_t save(std::span<std::byte> room) const {
    Word{count_}.to(room);
    return sizeof count_;
  }
  void load(std::span<const std::byte> state) { count_ = Word::from(state).value; }

 private:
  std::uint64_t count_;
};

template <class P>
class Blocks {
 public:
  explicit Blocks(StandbyChannel<P>& channel) : channel_(channel) {}
  void send() {
    const std::array<std::byte, 8> in{};
    std::array<std::byte, 8> out{};
    ASSERT_EQ(channel_.process(in, out, std::chrono::steady_clock::now() + 60s), BlockOutcome::answered);
    ASSERT_EQ(Word::from(out).value, ++sent_);
  }
  void send_until_whole(std::uint64_t deaths) {
    while (channel_.stats().deaths < deaths || channel_.stats().in_step < 2) {
      send();
      if (::testing::Test::HasFatalFailure()) return;
    }
  }

 private:
  StandbyChannel<P>& channel_;
  std::uint64_t sent_ = 0;
};

pid_t parent_of(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string name;
  std::string state;
  pid_t number = 0;
  pid_t parent = 0;
  file >> number >> name >> state >> parent;
  return parent;
}

void kill_one(const StandbyChannel<Count>& channel) {
  ::kill(static_cast<pid_t>(channel.replica_pids().at(0)), SIGKILL);
}

TEST(P10Zygote, ThatIsStoppedDelaysOnlyTheReplacement) {
  StandbyChannel<Count> channel(small_channel(StandbyMode::lockstep), 0);
  Blocks<Count> blocks(channel);
  blocks.send();
  ::kill(parent_of(channel.replica_pids().at(0)), SIGSTOP);
  kill_one(channel);
  blocks.send_until_whole(1);
  ::kill(parent_of(channel.replica_pids().at(0)), SIGSTOP);
}

/// Which standard streams the program has closed: bit by number.
class P10ClosedStreams : public ::testing::TestWithParam<int> {};

TEST_P(P10ClosedStreams, StayTheProgramsOwn) {
  EXPECT_EQ(in_child([] {
              for (int fd = 0; fd <= 2; ++fd)
                if ((GetParam() >> fd & 1) != 0) ::close(fd);
              StandbyChannel<Count> channel(small_channel(StandbyMode::lockstep), 0);
              Blocks<Count> blocks(channel);
              blocks.send();
              kill_one(channel);
              blocks.send_until_whole(1);
            }),
            0);
}
INSTANTIATE_TEST_SUITE_P(Each, P10ClosedStreams, ::testing::Values(1, 2, 4, 7));

TEST(P10Kill, RefusedSinceThePrivilegesWereGivenUp) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root has any to give up";
  EXPECT_EQ(in_child([] {
              StandbyOptions options = small_channel(StandbyMode::lockstep);
              options.hang_after = 100ms;
              StandbyChannel<Count> channel(options, 0);
              Blocks<Count> blocks(channel);
              blocks.send();
              constexpr unsigned nobody = 65534;
              if (::setgroups(0, nullptr) != 0 || ::setresgid(nobody, nobody, nobody) != 0 ||
                  ::setresuid(nobody, nobody, nobody) != 0)
                ::_exit(3);
              EXPECT_NE(channel.strike(chaos::How::hang), 0);
              blocks.send_until_whole(1);
              EXPECT_EQ(channel.stats().hangs, 1U);
              channel.strike(chaos::How::hang);
              blocks.send();
            }),
            0);
}

TEST(P10Forks, RefusedForAWhileAreTriedAgain) {
  StandbyOptions options = small_channel(StandbyMode::lockstep);
  options.preload = can_be_refused;
  StandbyChannel<Count> channel(options, 0);
  Blocks<Count> blocks(channel);
  blocks.send();
  const pid_t zygote = parent_of(channel.replica_pids().at(0));
  allow_processes(zygote, false);
  kill_one(channel);
  while (channel.stats().deaths < 1 || channel.stats().unavailable.empty()) blocks.send();
  for (int i = 0; i < 50; ++i) blocks.send();
  EXPECT_EQ(channel.stats().in_step, 1U);
  allow_processes(zygote, true);
  blocks.send_until_whole(1);
}

/// The third one is never made.
class SlowToMake : public Count {
 public:
  explicit SlowToMake(const std::string& path) : Count(0) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    struct stat facts {};
    if (::write(fd, "x", 1) != 1 || ::fstat(fd, &facts) != 0) ::abort();
    ::close(fd);
    if (facts.st_size == 3) {
      for (;;) ::pause();
    }
  }
};

TEST(P10Constructor, ThatHangsInANewReplicaIsEnded) {
  const TemporaryPath made("made");
  StandbyChannel<SlowToMake> channel(small_channel(StandbyMode::lockstep), made.str());
  Blocks<SlowToMake> blocks(channel);
  blocks.send();
  ::kill(static_cast<pid_t>(channel.replica_pids().at(0)), SIGKILL);
  blocks.send_until_whole(2);
  EXPECT_EQ(channel.stats().hangs, 1U);
}

}  // namespace
}  // namespace hotspare::testing
