#include "support/one_death.hpp"
#include "support/sanitizer.hpp"
#include "support/under_tsan.hpp"

#include <csignal>
#include <cstddef>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

/// P3. Deaths that look like another one to who asks the exit status only.
namespace hotspare::testing {
namespace {

using ::testing::HasSubstr;

class P3Causes : public OneDeath {};

// ---- exec ----

/// It may also be found and ended before it has ended by itself.
void expect_exec(const CrashReport& report, const std::string& program, const std::string& own_end) {
  EXPECT_EQ(report.cause, Cause::exec) << report.text();
  EXPECT_EQ(report.detail, program);
  const std::string end = report.signal == SIGKILL ? "which died of SIGKILL" : own_end;
  EXPECT_THAT(report.summary(), HasSubstr("became another program by exec: " + program + ", " + end));
}

TEST_F(P3Causes, AnotherProgramThatExits) {
  expect_exec(death_in([] { ::execl("/bin/true", "true", nullptr); }), "true", "which exited with code 0");
}

TEST_F(P3Causes, AnotherProgramThatExitsWithACode) {
  expect_exec(death_in([] { ::execl("/bin/sh", "sh", "-c", "exit 7", nullptr); }), "sh", "which exited with code 7");
}

TEST_F(P3Causes, AnotherProgramThatDiesOfASignal) {
  expect_exec(death_in([] { ::execl("/bin/sh", "sh", "-c", "kill -ABRT $$", nullptr); }), "sh",
              "which died of SIGABRT");
}

TEST_F(P3Causes, AnotherProgramWithAnOddName) {
  const CrashReport report = death_in([] {
    const int copy = static_cast<int>(::syscall(SYS_memfd_create, ") R 1 (", 0u));
    const int original = ::open("/bin/sleep", O_RDONLY | O_CLOEXEC);
    while (::sendfile(copy, original, nullptr, 1 << 20) > 0) {
    }
    const char* const arguments[] = {"sleep", "infinity", nullptr};
    ::fexecve(copy, const_cast<char* const*>(arguments), environ);
  });
  EXPECT_EQ(report.cause, Cause::exec) << report.text();
}

TEST_F(P3Causes, AnotherProgramThatGoesOnIsEnded) {
  const CrashReport report = death_in([] { ::execl("/bin/sleep", "sleep", "infinity", nullptr); });
  EXPECT_EQ(report.cause, Cause::exec) << report.text();
  EXPECT_EQ(report.signal, SIGKILL);
  EXPECT_EQ(report.detail, "sleep");
}

TEST_F(P3Causes, AnExecThatFailsIsNone) {
  const CrashReport report = death_in([] {
    ::execl("/no/such/program", "program", nullptr);
    ::_exit(9);
  });
  EXPECT_EQ(report.cause, Cause::exited) << report.text();
  EXPECT_EQ(report.exit_code, 9);
}

// ---- the end of the main thread ----

[[noreturn]] void exits_its_thread() { ::pthread_exit(nullptr); }
void promises_not_to_throw() noexcept { exits_its_thread(); }

TEST_F(P3Causes, PthreadExit) {
  const CrashReport report = death_in([] { exits_its_thread(); });
  EXPECT_EQ(report.cause, Cause::pthread_exit) << report.text();
  EXPECT_EQ(report.signal, 0);
  EXPECT_THAT(report.summary(), HasSubstr("pthread_exit"));
}

TEST_F(P3Causes, PthreadExitBelowNoexcept) {
  if (testing::under_tsan()) GTEST_SKIP() << "its frames stand between those of the unwinding";
  const CrashReport report = death_in([] { promises_not_to_throw(); });
  EXPECT_EQ(report.cause, Cause::pthread_exit) << report.text();
}

TEST_F(P3Causes, PthreadExitWhileAnotherThreadGoesOn) {
  const CrashReport report = death_in([] {
    std::thread([] { ::pause(); }).detach();
    exits_its_thread();
  });
  EXPECT_EQ(report.cause, Cause::pthread_exit) << report.text();
}

TEST_F(P3Causes, TheMainThreadIsCancelled) {
  const CrashReport report = death_in([] {
    const pthread_t main_thread = ::pthread_self();
    std::thread([main_thread] { ::pthread_cancel(main_thread); }).detach();
    for (;;) ::pause();
  });
  EXPECT_EQ(report.cause, Cause::pthread_exit) << report.text();
}

TEST_F(P3Causes, OnlyTheMainThreadEndsPastTheLibrary) {
  const CrashReport report = death_in([] {
    std::thread([] { ::pause(); }).detach();
    ::syscall(SYS_exit, 0);
  });
  EXPECT_EQ(report.cause, Cause::pthread_exit) << report.text();
  EXPECT_EQ(report.signal, SIGKILL);
}

TEST_F(P3Causes, PthreadExitInAnElementOfAMap) {
  std::vector<int> results;
  unsigned died = 0;
  auto view = pool_.map(
      [](int x) {
        if (x == 3) exits_its_thread();
        return 2 * x;
      },
      std::vector<int>{1, 2, 3, 4, 5}, {.chunk = 5});
  for (auto each = view.begin(); each != view.end(); ++each) {
    try {
      results.push_back(*each);
    } catch (const WorkerDied& death) {
      ++died;
      EXPECT_EQ(death.report().cause, Cause::pthread_exit) << death.what();
    }
  }
  EXPECT_EQ(died, 1u);
  EXPECT_THAT(results, ::testing::ElementsAre(2, 4, 8, 10));
}

TEST_F(P3Causes, AThreadOfTheTasksOwnThatEndsIsNoDeath) {
  EXPECT_EQ(pool_
                .submit([] {
                  std::thread([] { exits_its_thread(); }).join();
                  return 5;
                })
                .get(),
            5);
}

void exits_as_initializer() { exits_its_thread(); }

TEST(P3CausesOfAPool, PthreadExitInTheInitializer) {
  PoolOptions options = small_pool();
  options.initializer = exits_as_initializer;
  options.breaker_deaths = 1;
  Pool pool(options);
  try {
    pool.submit([] {}).get();
    ADD_FAILURE() << "the pool works";
  } catch (const PoolBroken& broken) {
    EXPECT_THAT(broken.what(), HasSubstr("pthread_exit"));
  }
}

// ---- limits and filters ----

int outgrows_its_file(bool ignores_it) {
  const rlimit limit{4096, 4096};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  if (ignores_it) std::signal(SIGXFSZ, SIG_IGN);
  const int fd = static_cast<int>(::syscall(SYS_memfd_create, "large", 0u));
  const std::vector<char> bytes(8192);
  if (::pwrite(fd, bytes.data(), bytes.size(), 0) != 4096) return -1;
  return ::pwrite(fd, bytes.data(), bytes.size(), 4096) < 0 ? errno : 0;
}

TEST_F(P3Causes, TheLimitOfAFilesSize) {
  const CrashReport report = death_in(outgrows_its_file, false);
  EXPECT_EQ(report.cause, Cause::file_size_limit) << report.text();
  EXPECT_EQ(report.signal, SIGXFSZ);
  EXPECT_THAT(report.summary(), HasSubstr("RLIMIT_FSIZE"));
}

TEST_F(P3Causes, WhoIgnoresTheSignalGetsTheError) { EXPECT_EQ(pool_.submit(outgrows_its_file, true).get(), EFBIG); }

/// From here on the call does that.
void forbid(int call, unsigned action) {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, action),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{4, filter};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) ::_exit(99);
}

TEST_F(P3Causes, AForbiddenSystemCall) {
  const CrashReport report = death_in([] {
    forbid(SYS_sethostname, SECCOMP_RET_TRAP);
    ::syscall(SYS_sethostname, "x", 1);
  });
  EXPECT_EQ(report.cause, Cause::forbidden_call) << report.text();
  EXPECT_EQ(report.signal, SIGSYS);
  EXPECT_THAT(report.summary(), HasSubstr("sethostname"));
}

TEST_F(P3Causes, AFilterThatEndsTheProcessAtOnce) {
  const CrashReport report = death_in([] {
    forbid(SYS_sethostname, SECCOMP_RET_KILL_PROCESS);
    ::syscall(SYS_sethostname, "x", 1);
  });
  EXPECT_EQ(report.cause, Cause::forbidden_call) << report.text();
  EXPECT_TRUE(report.detail.empty());
}

TEST(P3CausesOfAPool, ThatSignalFromSomebodyIsASignal) {
  for (const int signal : {SIGSYS, SIGXFSZ}) {
    Pool pool(small_pool());
    const pid_t host = ::getpid();
    const auto outcome = pool.submit(
                                 [](int number) {
                                   const pid_t self = ::getpid();
                                   if (::fork() == 0) {
                                     ::kill(self, number);
                                     ::_exit(0);
                                   }
                                   for (;;) ::pause();
                                 },
                                 signal)
                             .outcome();
    ASSERT_NE(outcome.report(), nullptr);
    EXPECT_EQ(outcome.report()->cause, Cause::signal) << outcome.report()->text();
    EXPECT_EQ(outcome.report()->signal, signal);
    EXPECT_NE(outcome.report()->sender_pid, host);
  }
}

}  // namespace
}  // namespace hotspare::testing
