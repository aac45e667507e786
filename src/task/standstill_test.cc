#include "task/standstill.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace hotspare::task {
namespace {

constexpr std::int64_t still = Standstill::still_ns;

/// A worker that the test plays.
class StandstillTest : public testing::Test {
 protected:
  ~StandstillTest() override {
    while (!one.account.empty()) fetch(0);
  }
  void give(std::int64_t now) {
    if (one.account.empty()) one.progressed_at = now;
    static const detail::CallSite site{{}, "f"};
    detail::TaskRef task(new detail::Task(nullptr, site, nullptr));
    task->id = ++last_id;
    task->ticket = one.account.tail();
    one.account.hand_over(std::move(task));
  }
  void says(shm::SlotState state) {
    const std::uint64_t head = one.account.head();
    channel->slot(head).word.store(shm::pack({head, state}));
  }
  void fetch(std::int64_t now) {
    one.progressed_at = now;
    one.account.let_go(one.account.head());
    one.account.close_head();
  }
  std::uint64_t last_id = 0;
  std::unique_ptr<shm::Channel> channel = std::make_unique<shm::Channel>();
  Candidate one{*channel};
  Standstill standstill;
};

TEST_F(StandstillTest, NobodyIsToLookAgainBeforeTheFirstLook) { EXPECT_FALSE(standstill.wanted()); }

TEST_F(StandstillTest, IsToHaveTheSameTaskForAWhile) {
  give(1000);
  says(shm::SlotState::running);
  EXPECT_FALSE(standstill.found(one, 1000));
  EXPECT_TRUE(standstill.wanted());
  EXPECT_FALSE(standstill.found(one, 1000 + still - 1));
  standstill.begin();
  EXPECT_FALSE(standstill.wanted());
  EXPECT_TRUE(standstill.found(one, 1000 + still));
  EXPECT_FALSE(standstill.wanted());
}

TEST_F(StandstillTest, OneThatHasNotBegunStandsStill) {
  give(1000);
  EXPECT_FALSE(standstill.found(one, 1000));
  EXPECT_TRUE(standstill.found(one, 1000 + still));
}

TEST_F(StandstillTest, OneThatIsAtAnotherTaskHasMoved) {
  give(1000);
  give(1000);
  fetch(1000 + still);
  EXPECT_FALSE(standstill.found(one, 1000 + still));
  EXPECT_TRUE(standstill.found(one, 1000 + 2 * still));
}

TEST_F(StandstillTest, OneWhoseResultNobodyHasFetchedHasMoved) {
  give(1000);
  give(1000);
  says(shm::SlotState::done);
  EXPECT_FALSE(standstill.found(one, 1000 + 2 * still));
  EXPECT_TRUE(standstill.wanted());
}

TEST_F(StandstillTest, OneWithoutTasksDoesNot) {
  EXPECT_FALSE(standstill.found(one, 1000));
  EXPECT_FALSE(standstill.found(one, 1000 + 2 * still));
  EXPECT_FALSE(standstill.wanted());
}

}  // namespace
}  // namespace hotspare::task
