#include "support/no_processes.hpp"
#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <poll.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

/// P7. After close or crash nothing is left. Children of this process, descriptors, /dev/shm and temporary files are
/// counted around the whole suite (support/leftovers); here a pipe that every process of the pool inherits tells when
/// the last one, grandchildren included, is gone. tests/chaos/host_death_test.cc kills the host itself.
namespace hotspare::testing {
namespace {

/// Its read end reports the end of all processes that were started while it was open.
class AliveMark {
 public:
  AliveMark() { EXPECT_EQ(::pipe(ends_), 0); }
  ~AliveMark() { ::close(ends_[0]); }
  AliveMark(const AliveMark&) = delete;
  AliveMark& operator=(const AliveMark&) = delete;
  bool all_gone() {
    ::close(ends_[1]);
    pollfd end{ends_[0], POLLIN, 0};
    return ::poll(&end, 1, 30'000) == 1 && (end.revents & POLLHUP) != 0;
  }

 private:
  int ends_[2];
};

void leave_children() {
  for (int i = 0; i < 3; ++i) {
    if (::fork() != 0) continue;
    if (i == 1) ::setsid();
    if (i == 2 && ::fork() != 0) ::_exit(0);  // an orphan at once
    ::signal(SIGTERM, SIG_IGN);
    for (;;) ::pause();
  }
}

TEST(P7NothingLeft, AfterAPoolThatOnlyWorked) {
  AliveMark mark;
  {
    Pool pool(small_pool());
    for (int i = 0; i < 100; ++i) pool.submit([] {}).get();
  }
  EXPECT_TRUE(mark.all_gone());
}

TEST(P7NothingLeft, AfterAPoolThatWasNeverUsed) {
  AliveMark mark;
  { Pool pool(small_pool()); }
  EXPECT_TRUE(mark.all_gone());
}

TEST(P7NothingLeft, OfADeadWorkersChildren) {
  AliveMark mark;
  {
    Pool pool(small_pool());
    for (int i = 0; i < 5; ++i) {
      EXPECT_THROW(pool.submit([] {
                         leave_children();
                         ::raise(SIGKILL);
                       })
                       .get(),
                   WorkerDied);
    }
  }
  EXPECT_TRUE(mark.all_gone());
}

TEST(P7NothingLeft, OfALivingWorkersChildrenWhenThePoolCloses) {
  AliveMark mark;
  {
    Pool pool(small_pool());
    pool.submit(leave_children).get();
  }
  EXPECT_TRUE(mark.all_gone());
}

TEST(P7NothingLeft, AfterManyPools) {
  AliveMark mark;
  for (int i = 0; i < 20; ++i) {
    Pool pool(small_pool());
    auto dying = pool.submit([] { ::raise(SIGABRT); });
    pool.submit([] {}).get();
    if (i % 2 == 0) dying.wait();
  }
  EXPECT_TRUE(mark.all_gone());
}

TEST(P7NothingLeft, WhenTheZygoteDiedToo) {
  AliveMark mark;
  {
    Pool pool(small_pool());
    pool.submit([] {}).get();
    ::kill(static_cast<pid_t>(pool.zygote_pid()), SIGKILL);
    EXPECT_THROW(pool.submit([] { ::raise(SIGKILL); }).get(), WorkerDied);
    pool.submit([] {}).get();
  }
  EXPECT_TRUE(mark.all_gone());
}

/// Programs, which close what would have ended them with their worker.
void start_programs() {
  for (int i = 0; i < 4; ++i) {
    if (::fork() != 0) continue;
    if (i % 2 == 1) ::setsid();
    if (i / 2 == 1 && ::fork() != 0) ::_exit(0);
    ::execlp("sleep", "sleep", "1000", nullptr);
    ::_exit(1);
  }
}

TEST(P7NothingLeft, OfProgramsThatWorkersStartedBeforeTheirZygoteDied) {
  AliveMark mark;
  {
    Pool pool(small_pool());
    for (int round = 0; round < 3; ++round) {
      static_cast<void>(pool.started_pids(3));
      const auto before = static_cast<std::int64_t>(pool.stats().zygote_deaths);
      for (int i = 0; i < 4; ++i) pool.submit(start_programs).get();
      ::kill(static_cast<pid_t>(pool.zygote_pid()), SIGKILL);
      while (static_cast<std::int64_t>(pool.stats().zygote_deaths) == before) pool.submit([] {}).get();
      for (const std::int64_t pid : pool.worker_pids()) ::kill(static_cast<pid_t>(pid), SIGKILL);
      pool.submit([] {}).get();
    }
  }
  EXPECT_TRUE(mark.all_gone());
}

/// What the dead zygote would have told is told all the same.
TEST(P7NothingLeft, TheStatusOfAWorkerIsKnownAfterItsZygotesDeath) {
  Pool pool(small_pool());
  static_cast<void>(pool.started_pids(3));
  ::kill(static_cast<pid_t>(pool.zygote_pid()), SIGKILL);
  while (pool.stats().zygote_deaths == 0) pool.submit([] {}).get();
  const CrashReport report = death_of(pool.submit([] { ::_exit(9); }));
  EXPECT_EQ(report.exit_code, 9);
  EXPECT_GT(report.peak_rss_bytes, 0U);
}

pid_t parent_of(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string name;
  std::string state;
  pid_t number = 0;
  pid_t parent = 0;
  file >> number >> name >> state >> parent;
  return parent;
}

int children_of(std::int64_t pid) {
  const std::string number = std::to_string(pid);
  std::ifstream file("/proc/" + number + "/task/" + number + "/children");
  int count = 0;
  for (pid_t child = 0; file >> child;) ++count;
  return count;
}

/// As process 1 of a container does.
TEST(P7NothingLeft, NoZombieWhereTheHostAdoptsOrphans) {
  EXPECT_EQ(in_child([] {
              ::prctl(PR_SET_CHILD_SUBREAPER, 1);
              {
                Pool pool(small_pool());
                const auto kill_all_but_the_seed = [&pool](int children) {
                  static_cast<void>(pool.started_pids(3));
                  while (children_of(pool.zygote_pid()) < children) std::this_thread::yield();
                  // Of what a zygote forks and dies before it has told nobody knows the number. It tells in order.
                  const std::uint64_t forks = pool.stats().forks;
                  pool.submit([] { std::abort(); }).wait();
                  while (pool.stats().forks == forks) std::this_thread::yield();
                  const std::vector<std::int64_t> workers = pool.started_pids(3);
                  ::kill(static_cast<pid_t>(pool.zygote_pid()), SIGKILL);
                  for (const std::int64_t pid : workers) ::kill(static_cast<pid_t>(pid), SIGKILL);
                };
                static_cast<void>(pool.started_pids(3));
                const pid_t seed = parent_of(pool.zygote_pid());
                kill_all_but_the_seed(3);
                EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
                ::kill(seed, SIGKILL);
                kill_all_but_the_seed(4);  // with its standby
              }
              EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
            }),
            0);
}

}  // namespace
}  // namespace hotspare::testing
