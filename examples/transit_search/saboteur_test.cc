#include "saboteur.hpp"

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ostream>

namespace transit {
namespace {

TEST(Plan, IsTheSameForTheSameSeed) {
  EXPECT_EQ(plan(100, 12, 5), plan(100, 12, 5));
  EXPECT_NE(plan(100, 12, 5), plan(100, 12, 6));
}

TEST(Plan, TakesEachWayInTurn) {
  const std::vector<Way> ways_to_die = plan(96, 2 * ways_of_plan, 1);
  for (std::size_t way = 1; way <= ways_of_plan; ++way)
    EXPECT_EQ(std::count(ways_to_die.begin(), ways_to_die.end(), static_cast<Way>(way)), 2)
        << name(static_cast<Way>(way));
  const std::vector<Way> all_die = plan(3, 10, 1);
  EXPECT_EQ(std::count(all_die.begin(), all_die.end(), Way::none), 0);
}

TEST(Plan, OfChaosIsItsChoice) {
  using hotspare::chaos::How;
  const std::vector<Way> chosen = plan(10, {.every = 3, .how = {How::sigkill, How::stop, How::leak}});
  EXPECT_EQ(std::count(chosen.begin(), chosen.end(), Way::none), 6);
  EXPECT_EQ((std::vector{chosen[0], chosen[3], chosen[6]}), (std::vector{Way::kill_itself, Way::leak, Way::stop}));
  const hotspare::chaos::Chaos all{.every = 1,
                                   .how = {How::sigkill, How::sigsegv, How::abort, How::exit, How::stack_overflow,
                                           How::memory, How::leak, How::hang, How::stop, How::raise}};
  std::vector<Way> each = plan(hotspare::chaos::ways, all);
  std::sort(each.begin(), each.end());
  EXPECT_EQ(std::unique(each.begin(), each.end()), each.end());
  EXPECT_NE(each.front(), Way::none);
}

TEST(Saboteur, LeavesAProcessAloneThatIsNoWorker) {
  const Ledger ledger;
  for (const Way way : {Way::kill_itself, Way::segmentation_fault, Way::abort, Way::exit, Way::stack_overflow,
                        Way::memory, Way::hang, Way::stop, Way::raise, Way::leak})
    EXPECT_THROW(commit(ledger.order(way)), hotspare::Error) << name(way);
}

TEST(Saboteur, DoesNothingUnlessTold) {
  const Ledger ledger;
  commit(ledger.order(Way::none));
  EXPECT_EQ(ledger.done(), Counts{});
}

/// Default actions for signals that a sanitizer may have taken.
void prepare_child() {
  for (const int signal : {SIGBUS, SIGFPE, SIGILL, SIGABRT}) std::signal(signal, SIG_DFL);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
}

/// How a process ends that commits this sabotage, as wait has it.
int status_after(Way way, const Ledger& ledger) {
  const pid_t child = fork();
  if (child == 0) {
    prepare_child();
    commit(ledger.order(way));
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

struct Death {
  Way way;
  int signal;
};

/// Names of tests must be the same in every run: else gtest prints bytes, padding among them.
void PrintTo(const Death& death, std::ostream* out) { *out << name(death.way); }

class SaboteurDies : public testing::TestWithParam<Death> {};

TEST_P(SaboteurDies, AsToldAndCounted) {
  const Ledger ledger;
  const int status = status_after(GetParam().way, ledger);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == GetParam().signal) << status;
  Counts expected{};
  expected[static_cast<std::size_t>(GetParam().way)] = 1;
  EXPECT_EQ(ledger.done(), expected);
}

// The others are those of hotspare::chaos.
INSTANTIATE_TEST_SUITE_P(OwnWays, SaboteurDies,
                         testing::Values(Death{Way::kill_from_outside, SIGKILL}, Death{Way::bus_error, SIGBUS},
                                         Death{Way::division_by_zero, SIGFPE}, Death{Way::illegal_instruction, SIGILL},
                                         Death{Way::terminate, SIGABRT}));

}  // namespace
}  // namespace transit
