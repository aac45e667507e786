#include "support/gate.hpp"
#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>
#include <vector>

/// P6, where brief tasks go to as many workers as there are cores: what is not as brief as those before it has the other
/// workers nevertheless.
namespace hotspare::testing {
namespace {

int same(int x) { return x; }

/// Knocks, and waits: so many of them are over only if so many run at a time.
void meet(const std::string& knocks, const std::string& gate) {
  Gate::knock(knocks);
  Gate::pass(gate);
}

/// Tasks that last until all of them run.
class Meeting {
 public:
  explicit Meeting(Pool& pool) : pool_(pool) {}
  void invite(int more = 1) {
    for (int i = 0; i < more; ++i) met_.push_back(pool_.submit(meet, knocks_.path(), go_.path()));
  }
  void take_place() {
    const int all = static_cast<int>(met_.size());
    knocks_.await(all);
    go_.open(all);
    for (auto& each : met_) each.get();
  }

 private:
  Pool& pool_;
  Gate knocks_;
  Gate go_;
  std::vector<Future<void>> met_;
};

class P6BriefTasks : public ::testing::Test {
 protected:
  static PoolOptions many_workers() {
    PoolOptions options = small_pool();
    options.workers = workers;
    return options;
  }
  void submit_brief(int more) {
    for (int i = 0; i < more; ++i) brief_.push_back(pool_.submit(same, static_cast<int>(brief_.size())));
  }
  void get_brief() {
    for (std::size_t i = 0; i < brief_.size(); ++i) ASSERT_EQ(brief_[i].get(), static_cast<int>(i));
    brief_.clear();
  }
  /// Until each worker's tasks are known to be brief.
  void run_brief_ones() {
    for (int round = 0; round < 10; ++round) {
      submit_brief(1000);
      get_brief();
    }
  }
  static constexpr int workers = 12;
  Pool pool_{many_workers()};
  std::vector<Future<int>> brief_;
};

TEST_F(P6BriefTasks, AsManyLongOnesRunAsThereAreWorkers) {
  for (int round = 0; round < 3; ++round) {
    run_brief_ones();
    Meeting meeting(pool_);
    meeting.invite(workers);
    meeting.take_place();
  }
}

/// As before, but they come while the workers have more brief ones than they can take.
TEST_F(P6BriefTasks, LongOnesAmongBriefOnesRunAllAtOnce) {
  run_brief_ones();
  Meeting meeting(pool_);
  for (int i = 0; i < workers; ++i) {
    meeting.invite();
    submit_brief(1700);
  }
  meeting.take_place();
  get_brief();
}

/// All but one worker are held for good. What is behind those is run nevertheless.
TEST_F(P6BriefTasks, BriefOnesPassTheLongOnesInFrontOfThem) {
  for (int round = 0; round < 3; ++round) {
    run_brief_ones();
    Meeting meeting(pool_);
    for (int i = 0; i < workers - 1; ++i) {
      meeting.invite();
      submit_brief(50);
    }
    get_brief();
    meeting.take_place();
  }
}

/// The same while another thread waits for a long task, and so looks after all results: it is called, though none comes.
TEST_F(P6BriefTasks, AThreadThatWaitsBesideHearsThatSomeStandStill) {
  for (int round = 0; round < 10; ++round) {
    Gate last;
    std::thread waits([&, long_one = pool_.submit(Gate::pass, last.path())] { long_one.get(); });
    run_brief_ones();
    Meeting meeting(pool_);
    meeting.invite(3);
    submit_brief(20);
    get_brief();
    meeting.take_place();
    last.open();
    waits.join();
  }
}

/// A worker that dies takes with it what it ran, and nothing of what waited behind that.
TEST_F(P6BriefTasks, ADeathAmongManyBriefOnesCostsOne) {
  run_brief_ones();
  std::vector<Future<void>> dead;
  for (int i = 0; i < 5; ++i) {
    submit_brief(1000);
    dead.push_back(pool_.submit([] { ::raise(SIGKILL); }));
  }
  submit_brief(1000);
  get_brief();
  for (auto& each : dead) EXPECT_THROW(each.get(), WorkerDied);
}

}  // namespace
}  // namespace hotspare::testing
