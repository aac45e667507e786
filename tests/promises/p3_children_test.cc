#include "support/beacon.hpp"
#include "support/one_death.hpp"
#include "support/sanitizer.hpp"

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <vector>

/// P3 and P7 for tasks that fork: the child is nobody's worker, and does not outlive the one it came from.
namespace hotspare::testing {

int* volatile childs_null = nullptr;
HOTSPARE_GUILTY void child_crashes() { *childs_null = 1; }

namespace {

class P3Children : public OneDeath {
 protected:
  Beacon beacon_;
  void expect_no_death(std::uint64_t values) {
    const Stats stats = pool_.stats();
    EXPECT_EQ(stats.values, values);
    EXPECT_EQ(stats.submitted, values);
    EXPECT_EQ(stats.deaths, 0u);
    EXPECT_LE(stats.forks, 3u) << "nobody was replaced; the last one may still be coming";
  }
};

int status_of(pid_t child) {
  int status = -1;
  ::waitpid(child, &status, 0);
  return status;
}

TEST_F(P3Children, AChildThatReturnsGivesNoSecondResult) {
  constexpr int rounds = 30;
  for (int i = 0; i < rounds; ++i) {
    const int result = pool_
                           .submit([] {
                             const pid_t child = ::fork();
                             if (child == 0) return 666;
                             return WIFEXITED(status_of(child)) ? 1 : 0;
                           })
                           .get();
    EXPECT_EQ(result, 1);
  }
  expect_no_death(rounds);
}

TEST_F(P3Children, AChildThatReturnsMuchGivesNoSecondResult) {
  const auto result = pool_
                          .submit([] {
                            const pid_t child = ::fork();
                            if (child != 0) status_of(child);
                            return std::vector<int>(300'000, child == 0 ? 666 : 1);
                          })
                          .get();
  EXPECT_EQ(result, std::vector<int>(300'000, 1));
  expect_no_death(1);
}

TEST_F(P3Children, AChildThatThrowsGivesNoSecondResult) {
  EXPECT_TRUE(pool_
                  .submit([] {
                    const pid_t child = ::fork();
                    if (child == 0) throw std::runtime_error("in the child");
                    return WIFEXITED(status_of(child));
                  })
                  .get());
  expect_no_death(1);
}

TEST_F(P3Children, AChildThatExitsIsNoDeath) {
  const int code = pool_
                       .submit([] {
                         const pid_t child = ::fork();
                         if (child == 0) std::exit(3);
                         const int status = status_of(child);
                         return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
                       })
                       .get();
  EXPECT_EQ(code, 3);
  expect_no_death(1);
}

TEST_F(P3Children, AChildThatCrashesIsNoDeath) {
  const int signal = pool_
                         .submit([] {
                           const pid_t child = ::fork();
                           if (child == 0) child_crashes();
                           const int status = status_of(child);
                           return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
                         })
                         .get();
  EXPECT_EQ(signal, SIGSEGV);
  expect_no_death(1);
}

TEST_F(P3Children, AChildThatTerminatesIsNoDeath) {
  const int signal = pool_
                         .submit([] {
                           const pid_t child = ::fork();
                           if (child == 0) std::terminate();
                           const int status = status_of(child);
                           return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
                         })
                         .get();
  EXPECT_EQ(signal, SIGABRT);
  expect_no_death(1);
}

TEST_F(P3Children, AChildThatExecsIsNoDeath) {
  const int code = pool_
                       .submit([] {
                         const pid_t child = ::fork();
                         if (child == 0) {
                           ::execl("/bin/sh", "sh", "-c", "exit 7", nullptr);
                           ::_exit(99);
                         }
                         return WEXITSTATUS(status_of(child));
                       })
                       .get();
  EXPECT_EQ(code, 7);
  EXPECT_EQ(pool_.submit([] { return std::system("exit 5"); }).get(), 5 << 8);
  expect_no_death(2);
}

TEST_F(P3Children, TheWorkersDeathAfterAChildsIsItsOwn) {
  const CrashReport report = death_in([] {
    const pid_t child = ::fork();
    if (child == 0) child_crashes();
    status_of(child);
    ::_exit(9);
  });
  EXPECT_EQ(report.cause, Cause::exited);
  EXPECT_EQ(report.exit_code, 9);
  EXPECT_TRUE(report.native_stack().empty());
}

enum Life : int { in_the_group, in_a_session_of_its_own, orphaned_in_a_session, another_program };

/// Leaves a process behind that never ends by itself, and tells its number.
void leave_a_child(const std::string& beacon, int life) {
  if (::fork() != 0) return;
  if (life != in_the_group && life != another_program) ::setsid();
  if (life == orphaned_in_a_session && ::fork() != 0) ::_exit(0);
  Beacon(beacon).tell(static_cast<std::uint64_t>(::getpid()));
  if (life == another_program) ::execl("/bin/sleep", "sleep", "infinity", nullptr);
  for (;;) ::pause();
}

class P3Grandchild : public P3Children, public ::testing::WithParamInterface<int> {};

TEST_P(P3Grandchild, DoesNotOutliveADeath) {
  const auto future = pool_.submit(
      options_,
      [](const std::string& beacon, int life) {
        leave_a_child(beacon, life);
        Beacon(beacon).wait(1);  // until the test watches it
        ::_exit(4);
      },
      beacon_.path(), GetParam());
  const Watched grandchild(beacon_.wait());
  ASSERT_TRUE(grandchild.found());
  EXPECT_FALSE(grandchild.gone());
  beacon_.tell(1, 1);
  const CrashReport report = report_of(future);
  EXPECT_EQ(report.cause, Cause::exited);
  EXPECT_EQ(report.exit_code, 4);
  grandchild.wait_until_gone();
}

TEST_P(P3Grandchild, DoesNotOutliveThePool) {
  pool_.submit(leave_a_child, beacon_.path(), GetParam()).get();
  const Watched grandchild(beacon_.wait());
  ASSERT_TRUE(grandchild.found());
  EXPECT_FALSE(grandchild.gone());
  pool_.shutdown();
  grandchild.wait_until_gone();
}

INSTANTIATE_TEST_SUITE_P(Lives, P3Grandchild,
                         ::testing::Values(in_the_group, in_a_session_of_its_own, orphaned_in_a_session,
                                           another_program));

TEST_F(P3Children, AWorkerThatBecomesAnotherProgram) {
  const CrashReport report = death_in([] { ::execl("/bin/sleep", "sleep", "infinity", nullptr); });
  EXPECT_EQ(report.cause, Cause::exec) << report.text();
}

}  // namespace
}  // namespace hotspare::testing
