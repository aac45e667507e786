#include "child/nursery.hpp"

#include "support/under_tsan.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace hotspare::child {
namespace {

/// The owner of a nursery: hears its notices, and remembers what they were about.
class NurseryTest : public ::testing::Test {
 protected:
  explicit NurseryTest(zygote::Setup setup = {}) : nursery_(poller_, {{}, setup}) {}

  void SetUp() override {
    if (testing::under_tsan()) GTEST_SKIP() << "Start::fork needs a process with one thread";
    ASSERT_TRUE(nursery_.start());
    wait_until_ready();
  }

  template <class What>
  static std::size_t count(const std::vector<Told>& told) {
    std::size_t found = 0;
    for (const Told& each : told) found += std::holds_alternative<What>(each) ? 1 : 0;
    return found;
  }

  /// One batch of notices.
  std::vector<Told> hear() {
    std::vector<Told> told;
    auto batch = poller_.wait();
    for (const os::Ready& each : *batch) {
      heard_.push_back(each.tag);
      nursery_.on_ready(each.tag, told);
    }
    return told;
  }
  void wait_until_ready() {
    while (!nursery_.may_ask()) hear();
  }
  /// Kills the zygote. Another takes its place: says how.
  std::string let_zygote_die() {
    ::kill(nursery_.zygote_pid(), SIGKILL);
    std::size_t deaths = 0;
    while (deaths == 0) deaths += count<told::ZygoteDied>(hear());
    EXPECT_EQ(deaths, 1u);
    std::vector<Told> told;
    std::string how = nursery_.replace(told);
    EXPECT_NE(how, "given up");
    wait_until_ready();
    return how;
  }

  os::Poller poller_ = os::or_throw(os::Poller::make(), "test");
  Nursery nursery_;
  std::vector<std::uint64_t> heard_;
};

TEST_F(NurseryTest, NoticesOfOneThatWasReplacedConcernNobodyElse) {
  for (int round = 0; round < 3; ++round) {
    let_zygote_die();
    const pid_t zygote = nursery_.zygote_pid();
    std::vector<Told> told;
    for (const std::uint64_t tag : heard_) nursery_.on_ready(tag, told);
    EXPECT_EQ(count<told::ZygoteDied>(told), 0u) << "the one that lives was taken for dead";
    EXPECT_EQ(nursery_.zygote_pid(), zygote);
    EXPECT_TRUE(nursery_.may_ask());
  }
}

TEST_F(NurseryTest, WithoutAPreloadHookTheSeedIsStandbyEnough) {
  nursery_.want_standby();
  EXPECT_EQ(let_zygote_die(), "the seed forks another");
}

TEST_F(NurseryTest, WithoutItsSeedTheZygoteGetsAStandby) {
  ::kill(nursery_.seed_pid(), SIGKILL);
  while (nursery_.seed_pid() != 0) hear();
  hear();  // of the standby
  EXPECT_EQ(let_zygote_die(), "its standby took over");
}

void preload_nothing() {}
zygote::Setup with_preload_hook() {
  zygote::Setup setup;
  setup.preload = hotspare::detail::locate(reinterpret_cast<const void*>(&preload_nothing));
  return setup;
}

class NurseryWithPreloadHook : public NurseryTest {
 protected:
  NurseryWithPreloadHook() : NurseryTest(with_preload_hook()) {}
};

TEST_F(NurseryWithPreloadHook, AStandbyTakesOver) {
  const pid_t first = nursery_.zygote_pid();
  nursery_.want_standby();
  hear();  // it is there
  EXPECT_EQ(let_zygote_die(), "its standby took over");
  EXPECT_NE(nursery_.zygote_pid(), first);
}

}  // namespace
}  // namespace hotspare::child
