#include "death/stack_of_process.hpp"

#include "death/crash_harness.hpp"
#include "os/process.hpp"
#include "support/under_tsan.hpp"

#include <atomic>
#include <cstdio>
#include <sys/ptrace.h>

namespace hotspare::death {
namespace {

using testing::index_of;
using testing::Shared;

volatile bool go_on = true;

CRASH_FUNCTION void spin_forever(std::atomic<int>* turns) {
  while (go_on) turns->fetch_add(1);
  turns->store(0);
}

/// A child that spins with every signal blocked; ended and reaped with this.
class Spinner {
 public:
  Spinner() {
    pid_ = ::fork();
    if (pid_ == 0) {
      sigset_t all;
      ::sigfillset(&all);
      ::sigprocmask(SIG_SETMASK, &all, nullptr);
      spin_forever(&*turns_);
      ::_exit(0);
    }
    wait_for_turns();
  }
  ~Spinner() {
    ::kill(pid_, SIGKILL);
    EXPECT_EQ(::waitpid(pid_, nullptr, 0), pid_);
  }
  pid_t pid() const { return pid_; }
  /// Returns once the child has gone on.
  void wait_for_turns() const {
    for (const int before = turns_->load(); turns_->load() == before;) ::sched_yield();
  }

 private:
  Shared<std::atomic<int>> turns_;
  pid_t pid_;
};

void expect_spinning(os::Result<std::shared_ptr<detail::StackImage>> taken) {
  if (!taken && taken.failure().code == EPERM) GTEST_SKIP() << "tracing is forbidden here: " << taken.failure().text();
  ASSERT_TRUE(taken) << taken.failure().text();
  EXPECT_NE(index_of((*taken)->frames(), "spin_forever"), -1);
  EXPECT_NE(index_of((*taken)->frames(), "main"), -1);
}

/// State letter of /proc/PID/stat.
char state_of(pid_t pid) {
  char state = '?';
  FILE* const file = std::fopen(("/proc/" + std::to_string(pid) + "/stat").c_str(), "re");
  if (file == nullptr) return state;
  EXPECT_EQ(std::fscanf(file, "%*d (%*[^)]) %c", &state), 1);
  std::fclose(file);
  return state;
}

auto stack_now(pid_t pid, std::chrono::milliseconds timeout = std::chrono::milliseconds(200)) {
  auto process = os::open_pidfd(pid);
  EXPECT_TRUE(process);
  return stack_of_process(pid, *process, 0, timeout);
}

TEST(StackOfProcess, OneThatSpinsWithAllSignalsBlocked) {
  const Spinner spinner;
  expect_spinning(stack_now(spinner.pid()));
  spinner.wait_for_turns();  // it lives on
}

TEST(StackOfProcess, AgainAndAgain) {
  const Spinner spinner;
  for (int i = 0; i < 3; ++i) expect_spinning(stack_now(spinner.pid()));
  spinner.wait_for_turns();
}

TEST(StackOfProcess, OneThatIsStopped) {
  const Spinner spinner;
  ::kill(spinner.pid(), SIGSTOP);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(spinner.pid()), &info, WSTOPPED | WNOWAIT), 0);
  expect_spinning(stack_now(spinner.pid()));
  while (state_of(spinner.pid()) != 'T') ::sched_yield();  // goes back into its stop, by way of running for a moment
  ::kill(spinner.pid(), SIGCONT);
  spinner.wait_for_turns();
}

TEST(StackOfProcess, ASignalOnItsWayStillArrives) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (;;) ::pause();
  }
  ::kill(pid, SIGTERM);  // may be on its way when the thread stops, before, or after
  (void)stack_now(pid);
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

TEST(StackOfProcess, AZombieIsNotReaped) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(7);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  EXPECT_FALSE(stack_now(pid));
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(StackOfProcess, OneThatIsBeingKilledKeepsItsStatus) {
  for (int i = 0; i < 50; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      for (;;) ::pause();
    }
    const pid_t killer = ::fork();
    if (killer == 0) {
      ::kill(pid, SIGKILL);
      ::_exit(0);
    }
    (void)stack_now(pid);  // a stack or a failure; it must come back
    ::waitpid(killer, nullptr, 0);
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
  }
  testing::expect_no_zombie();
}

/// Our workers are the zygote's children: whoever traces must not take their status from their parent.
TEST(StackOfProcess, AGrandchildsStatusStaysItsParents) {
  for (int i = 0; i < 50; ++i) {
    Shared<std::atomic<pid_t>> grandchild;
    const pid_t parent = ::fork();
    if (parent == 0) {
      const pid_t child = ::fork();
      if (child == 0) {
        for (;;) ::pause();
      }
      grandchild->store(child);
      int status = 0;
      ::_exit(::waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGKILL ? 0 : 1);
    }
    while (grandchild->load() == 0) ::sched_yield();
    auto process = os::open_pidfd(grandchild->load());
    ASSERT_TRUE(process);
    const pid_t killer = ::fork();
    if (killer == 0) {
      ::kill(grandchild->load(), SIGKILL);
      ::_exit(0);
    }
    (void)stack_of_process(grandchild->load(), *process);
    ::waitpid(killer, nullptr, 0);
    int status = 0;
    ASSERT_EQ(::waitpid(parent, &status, 0), parent);
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
}

/// The one that waits for its vfork()ed child can't be stopped, as none can within an uninterruptible system call.
TEST(StackOfProcess, OneThatCannotBeStoppedIsGivenUp) {
  if (hotspare::testing::under_tsan()) GTEST_SKIP() << "ThreadSanitizer's vfork is a fork";
  Shared<std::atomic<pid_t>> sleeper;
  const pid_t pid = ::fork();
  if (pid == 0) {
    // NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork): posix_spawn's child could not be made to dawdle
    if (::vfork() == 0) {
      sleeper->store(::getpid());  // NOLINT(clang-analyzer-unix.Vfork): into shared memory
      ::pause();
      ::_exit(0);
    }
    int status = 0;
    ::_exit(::wait(&status) > 0 ? 5 : 6);
  }
  while (sleeper->load() == 0) ::sched_yield();
  for (int i = 0; i < 2; ++i) {  // twice: no trace of the first try is left
    const auto taken = stack_now(pid, std::chrono::milliseconds(20));
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.failure().code, ETIMEDOUT) << taken.failure().text();
  }
  ::kill(sleeper->load(), SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(WEXITSTATUS(status), 5) << "it went on unhurt";
}

TEST(StackOfProcess, NobodyIsThere) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  auto process = os::open_pidfd(pid);
  ASSERT_TRUE(process);
  ::waitpid(pid, nullptr, 0);
  const auto taken = stack_of_process(pid, *process);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.failure().code, ESRCH);
}

/// A number that is used again is not taken for the process that had it.
TEST(StackOfProcess, AnotherProcessOfThatNumberIsNotTaken) {
  const Spinner spinner;
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  auto process = os::open_pidfd(pid);
  ASSERT_TRUE(process);
  ::waitpid(pid, nullptr, 0);
  const auto taken = stack_of_process(spinner.pid(), *process);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.failure().code, ESRCH) << taken.failure().text();
  spinner.wait_for_turns();
}

TEST(StackOfProcess, ARefusalIsTold) {
  int told[2];
  ASSERT_EQ(::pipe(told), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::ptrace(PTRACE_TRACEME);  // as under a debugger, of which there is but one
    if (::write(told[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(told[0], &byte, 1), 1);
  const auto taken = stack_now(pid);
  ::kill(pid, SIGKILL);
  EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
  ::close(told[0]);
  ::close(told[1]);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.failure().code, EPERM);
  EXPECT_NE(taken.failure().text().find("PTRACE_SEIZE"), std::string::npos);
}

}  // namespace
}  // namespace hotspare::death
