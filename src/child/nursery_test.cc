#include "child/nursery.hpp"

#include "support/under_tsan.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <variant>
#include <vector>

namespace hotspare::child {
namespace {

/// The owner of a nursery: hears its notices, and remembers what they were about.
class NurseryTest : public ::testing::Test {
 protected:
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
  /// Kills the zygote. Another takes its place.
  void let_zygote_die() {
    ::kill(nursery_.zygote_pid(), SIGKILL);
    std::size_t deaths = 0;
    while (deaths == 0) deaths += count<told::ZygoteDied>(hear());
    EXPECT_EQ(deaths, 1u);
    std::vector<Told> told;
    EXPECT_STRNE(nursery_.replace(told), "given up");
    wait_until_ready();
  }

  os::Poller poller_ = os::or_throw(os::Poller::make(), "test");
  Nursery nursery_{poller_, {}};
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

TEST_F(NurseryTest, AStandbyTakesOver) {
  const pid_t first = nursery_.zygote_pid();
  nursery_.want_standby();
  let_zygote_die();
  EXPECT_NE(nursery_.zygote_pid(), first);
}

}  // namespace
}  // namespace hotspare::child
