#include "saboteur.hpp"

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <new>

namespace transit {
namespace {

TEST(Plan, IsTheSameForTheSameSeed) {
  EXPECT_EQ(plan(100, 12, 5), plan(100, 12, 5));
  EXPECT_NE(plan(100, 12, 5), plan(100, 12, 6));
}

TEST(Plan, TakesEachWayInTurn) {
  const std::vector<Way> ways_to_die = plan(96, 2 * (ways - 1), 1);
  for (std::size_t way = 1; way < ways; ++way)
    EXPECT_EQ(std::count(ways_to_die.begin(), ways_to_die.end(), static_cast<Way>(way)), 2)
        << name(static_cast<Way>(way));
  const std::vector<Way> all_die = plan(3, 10, 1);
  EXPECT_EQ(std::count(all_die.begin(), all_die.end(), Way::none), 0);
}

TEST(Saboteur, DoesNothingUnlessTold) {
  const Ledger ledger;
  commit(ledger.order(Way::none));
  EXPECT_EQ(ledger.done(), Counts{});
}

/// Limits that the pool would set, and default actions for signals that a sanitizer may have taken.
void prepare_child(Way way) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) std::signal(signal, SIG_DFL);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  if (way == Way::memory) {
    const rlimit limit{rlim_t{256} << 20, rlim_t{256} << 20};
    setrlimit(RLIMIT_DATA, &limit);
  }
  if (way == Way::hang) alarm(1);
}

/// How a process ends that commits this sabotage, as wait has it.
int status_after(Way way, const Ledger& ledger) {
  const pid_t child = fork();
  if (child == 0) {
    prepare_child(way);
    try {
      commit(ledger.order(way));
    } catch (const std::bad_alloc&) {
      _exit(77);
    }
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

struct Death {
  Way way;
  int signal;
  int exit_code;
};

class SaboteurDies : public testing::TestWithParam<Death> {};

TEST_P(SaboteurDies, AsToldAndCounted) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  if (GetParam().way == Way::memory) GTEST_SKIP() << "a sanitizer's allocator ends the process in its own way";
#endif
  const Ledger ledger;
  const int status = status_after(GetParam().way, ledger);
  if (GetParam().signal != 0) {
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == GetParam().signal) << status;
  } else {
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == GetParam().exit_code) << status;
  }
  Counts expected{};
  expected[static_cast<std::size_t>(GetParam().way)] = 1;
  EXPECT_EQ(ledger.done(), expected);
}

INSTANTIATE_TEST_SUITE_P(Ways, SaboteurDies,
                         testing::Values(Death{Way::kill_from_outside, SIGKILL, 0}, Death{Way::kill_itself, SIGKILL, 0},
                                         Death{Way::segmentation_fault, SIGSEGV, 0}, Death{Way::bus_error, SIGBUS, 0},
                                         Death{Way::division_by_zero, SIGFPE, 0},
                                         Death{Way::illegal_instruction, SIGILL, 0}, Death{Way::abort, SIGABRT, 0},
                                         Death{Way::terminate, SIGABRT, 0}, Death{Way::exit, 0, 3},
                                         Death{Way::stack_overflow, SIGSEGV, 0}, Death{Way::memory, 0, 77},
                                         Death{Way::hang, SIGALRM, 0}));

}  // namespace
}  // namespace transit
