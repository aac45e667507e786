#include "support/gate.hpp"
#include "support/no_processes.hpp"
#include "support/test_pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <grp.h>
#include <optional>
#include <random>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

/// P1 where the kernel refuses something, or the program has taken something away: what is refused has a second way, is
/// tried again, or costs the one task that it concerns.
namespace hotspare::testing {
namespace {

using namespace std::chrono_literals;

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

/// Which standard streams the program has closed before it made its pool: bit by number.
class P1ClosedStreams : public ::testing::TestWithParam<int> {
 protected:
  static bool closes(int fd) { return (GetParam() >> fd & 1) != 0; }
  static void close_them() {
    for (int fd = 0; fd <= 2; ++fd)
      if (closes(fd)) ::close(fd);
  }
};

TEST_P(P1ClosedStreams, StayTheProgramsOwn) {
  EXPECT_EQ(in_child([] {
              close_them();
              {
                Pool pool(small_pool());
                const std::string large(300'000, 'l');
                EXPECT_EQ(pool.submit([](const std::string& text) { return text + "!"; }, large).get(), large + "!");
                // What lands there if anything of ours had: whoever listens on it would be misled.
                for (int fd = 0; fd <= 2; ++fd) {
                  EXPECT_TRUE(closes(fd) || is_open(fd)) << fd;
                  if (closes(fd)) {
                    EXPECT_EQ(::write(fd, "stray", 5), -1);
                  }
                }
                EXPECT_EQ(death_of(pool.submit([] { ::raise(SIGKILL); })).signal, SIGKILL);
                EXPECT_EQ(pool.submit([](int x) { return x + 1; }, 1).get(), 2);
              }
              for (int fd = 0; fd <= 2; ++fd) EXPECT_EQ(is_open(fd), !closes(fd)) << fd;
            }),
            0);
}

/// A host that talks on: not even for a moment is one of the pool's descriptors there to be written to, or to be read.
TEST_P(P1ClosedStreams, NeverLeadIntoThePool) {
  EXPECT_EQ(in_child([] {
              close_them();
              Pool pool(small_pool());
              std::atomic<bool> enough = false;
              std::atomic<long> strays = 0;
              std::thread talker([&] {
                std::array<char, 8> text{"a line\n"};
                while (!enough)
                  for (int fd = 0; fd <= 2; ++fd)
                    if (closes(fd) && (::write(fd, text.data(), text.size()) >= 0 || errno != EBADF ||
                                       ::read(fd, text.data(), text.size()) >= 0 || errno != EBADF))
                      ++strays;
              });
              const std::string large(300'000, 'l');
              for (int death = 0; death < 10; ++death) {
                EXPECT_EQ(death_of(pool.submit([] { ::raise(SIGKILL); })).signal, SIGKILL);
                EXPECT_EQ(pool.submit([](const std::string& text) { return text + "!"; }, large).get(), large + "!");
              }
              enough = true;
              talker.join();
              EXPECT_EQ(strays, 0);
            }),
            0);
}
INSTANTIATE_TEST_SUITE_P(Each, P1ClosedStreams, ::testing::Values(1, 2, 4, 3, 5, 6, 7));

/// How the program hears of its own children is its own affair, and so is what it blocks.
class P1ProgramsSignals : public ::testing::TestWithParam<void (*)()> {};

void ignores_children() { std::signal(SIGCHLD, SIG_IGN); }
void leaves_no_zombies() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  action.sa_flags = SA_NOCLDWAIT;
  ::sigaction(SIGCHLD, &action, nullptr);
}
void ignores_all() {
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE}) std::signal(signal, SIG_IGN);
}
void blocks_all() {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

TEST_P(P1ProgramsSignals, ChangeNothingInWhatIsTold) {
  EXPECT_EQ(in_child([] {
              GetParam()();
              Pool pool(small_pool());
              for (const int signal : {SIGKILL, SIGSEGV, SIGKILL})
                EXPECT_EQ(death_of(pool.submit([](int which) { ::raise(which); }, signal)).signal, signal);
              EXPECT_EQ(pool.submit([](int x) { return x + 1; }, 1).get(), 2);
            }),
            0);
}
INSTANTIATE_TEST_SUITE_P(Each, P1ProgramsSignals,
                         ::testing::Values(ignores_children, leaves_no_zombies, ignores_all, blocks_all));

/// Holds all descriptors that this process may have, but for some. Whatever has been opened meanwhile stays.
class NoDescriptors {
 public:
  explicit NoDescriptors(int left) {
    for (int fd = 0; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) held_.push_back(fd);
    for (; left > 0 && !held_.empty(); --left) {
      ::close(held_.back());
      held_.pop_back();
    }
  }
  ~NoDescriptors() {
    for (const int fd : held_) ::close(fd);
  }

 private:
  std::vector<int> held_;
};

void allow_descriptors(rlim_t most) {
  const rlimit limit{most, most};
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// How many the dead worker's place finds free: each number fails somewhere else on the way to a new one.
class P1DescriptorsRunOut : public ::testing::TestWithParam<int> {};

TEST_P(P1DescriptorsRunOut, ForAWhile) {
  EXPECT_EQ(in_child([] {
              allow_descriptors(256);
              PoolOptions options = small_pool();
              options.workers = 1;
              options.spares = 0;
              Pool pool(options);
              const int first = pool.submit([] { return ::getpid(); }).get();
              std::optional<NoDescriptors> none;
              none.emplace(0);
              // What the dead one gives back is taken again but for some, so that the new one is asked for too early.
              ::kill(first, SIGKILL);
              auto waiting = pool.submit([] { return ::getpid(); });
              static_cast<void>(waiting.wait_for(50ms));
              {
                const NoDescriptors still_none(GetParam());
                static_cast<void>(waiting.wait_for(50ms));
              }
              none.reset();
              EXPECT_NE(waiting.get(), first);
              EXPECT_TRUE(pool.broken().empty()) << pool.broken();
              pool.shutdown();
            }),
            0);
}
INSTANTIATE_TEST_SUITE_P(Free, P1DescriptorsRunOut, ::testing::Range(0, 12));

TEST(P1Descriptors, APoolLeavesTheProgramRoomOrSaysThatItCannot) {
  EXPECT_EQ(in_child([] {
              allow_descriptors(1024);
              PoolOptions options = small_pool();
              options.workers = 300;
              try {
                Pool pool(options);
                ADD_FAILURE() << "it was made";
              } catch (const Error& error) {
                EXPECT_THAT(error.what(), ::testing::HasSubstr("ulimit -n"));
              }
              Pool pool(small_pool());
              EXPECT_THROW(pool.resize(300), Error);
              EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
            }),
            0);
}

/// Each number of free descriptors has a constructor fail at another place.
TEST(P1Constructor, ThatFailsLeavesNothing) {
  EXPECT_EQ(in_child([] {
              allow_descriptors(128);
              bool failed = false;
              bool made = false;
              for (int left = 4; left < 60 && !made; left += 1) {
                const NoDescriptors none(left);
                try {
                  Pool pool(small_pool());
                  made = true;
                } catch (const Error&) {
                  failed = true;
                }
                EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child was left with " << left << " descriptors";
              }
              EXPECT_TRUE(failed);
              EXPECT_TRUE(made);
              // Of the program's own descriptors a fork keeps all.
              std::vector<int> own;
              for (int i = 0; i < 60; ++i) own.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
              EXPECT_EQ(in_child([&] {
                          for (const int fd : own) EXPECT_TRUE(is_open(fd)) << fd;
                        }),
                        0);
            }),
            0);
}

TEST(P1Forks, RefusedForAWhileAreTriedAgain) {
  PoolOptions options = small_pool();
  options.workers = 3;
  options.preload = can_be_refused;
  Pool pool(options);
  for (int round = 0; round < 3; ++round) {
    const std::vector<std::int64_t> all = pool.started_pids(4);
    ASSERT_EQ(all.size(), 4U);
    allow_processes(pool.zygote_pid(), false);
    for (const std::int64_t pid : all) ::kill(static_cast<pid_t>(pid), SIGKILL);
    auto waiting = pool.submit([] { return 1; });
    EXPECT_FALSE(waiting.wait_for(300ms));
    allow_processes(pool.zygote_pid(), true);
    EXPECT_EQ(waiting.get(), 1);
  }
  EXPECT_EQ(pool.started_pids(4).size(), 4U);
}

int hang() {
  for (;;) ::pause();
}

void give_up_privileges() {
  constexpr unsigned nobody = 65534;
  if (::setgroups(0, nullptr) != 0 || ::setresgid(nobody, nobody, nobody) != 0 ||
      ::setresuid(nobody, nobody, nobody) != 0)
    std::abort();
}

/// From now on the kernel refuses this system call to all of this process and what it starts.
void refuse_call(unsigned number, int error) {
  constexpr unsigned char next = 0;
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offsetof(seccomp_data, nr))),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, next, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{sizeof code / sizeof code[0], code};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    std::abort();
}

/// Deadline, cancelling and the end of the pool all need a kill.
void expect_kills_to_hold(Pool& pool, Gate& begun) {
  TaskOptions limited;
  limited.timeout = 50ms;
  EXPECT_EQ(death_of(pool.submit(limited, hang)).cause, Cause::deadline);
  limited.timeout = 0ms;
  limited.soft_timeout = 50ms;
  limited.grace = 20ms;
  EXPECT_EQ(death_of(pool.submit(limited, hang)).cause, Cause::deadline);
  auto running = pool.submit(
      [](const std::string& path) {
        Gate::knock(path);
        hang();
      },
      begun.path());
  begun.await();
  EXPECT_TRUE(running.cancel(Cancel::kill));
  EXPECT_THROW(running.get(), Error);
  EXPECT_EQ(pool.submit([](int x) { return x + 1; }, 1).get(), 2);
  limited.soft_timeout = 0ms;
  limited.timeout = 50ms;
  pool.submit(limited, hang);
  pool.shutdown();
}

TEST(P1Kill, RefusedSinceThePrivilegesWereGivenUp) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root has any to give up";
  Gate begun;
  EXPECT_EQ(in_child([&begun] {
              Pool pool(small_pool());
              EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
              give_up_privileges();
              expect_kills_to_hold(pool, begun);
            }),
            0);
}

TEST(P1Kill, RefusedByAFilter) {
  for (const int error : {EPERM, ENOSYS}) {
    Gate begun;
    EXPECT_EQ(in_child([error, &begun] {
                refuse_call(SYS_pidfd_send_signal, error);
                Pool pool(small_pool());
                expect_kills_to_hold(pool, begun);
              }),
              0);
  }
}

TEST(P1Zygote, ThatIsStoppedKeepsNobodyWaiting) {
  Pool pool(small_pool());
  static_cast<void>(pool.started_pids(3));
  for (int round = 0; round < 2; ++round) {
    const auto zygote = static_cast<pid_t>(pool.zygote_pid());
    EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
    ::kill(zygote, SIGSTOP);
    // Who is its parent does not tell; the kernel does.
    EXPECT_EQ(death_of(pool.submit([] { ::raise(SIGKILL); })).signal, SIGKILL);
    EXPECT_EQ(death_of(pool.submit([] { ::_exit(7); })).exit_code, 7);
    EXPECT_EQ(pool.submit([] { return 2; }).get(), 2);
  }
  ::kill(static_cast<pid_t>(pool.zygote_pid()), SIGSTOP);
}

/// Its stacks are taken while the program reaps whatever it can.
TEST(P1Stacks, AreNotTakenByAProgramThatReapsAll) {
  EXPECT_EQ(in_child([] {
              Pool pool(small_pool());
              EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
              std::atomic<bool> ends{false};
              std::atomic<int> stops{0};
              std::thread reaper([&] {
                int status = 0;
                while (!ends) {
                  if (::waitpid(-1, &status, WNOHANG | WUNTRACED) > 0 && WIFSTOPPED(status)) ++stops;
                }
              });
              TaskOptions limited;
              limited.timeout = 20ms;
              for (int i = 0; i < 5; ++i) EXPECT_FALSE(death_of(pool.submit(limited, hang)).native_stack().empty());
              ends = true;
              reaper.join();
              EXPECT_EQ(stops, 0);
            }),
            0);
}

/// A cgroup that stops what is in it, SIGKILL or not (v1's freezer), as an uninterruptible system call would.
class Freezer {
 public:
  Freezer() : folder_("/sys/fs/cgroup/freezer/hotspare-test-" + std::to_string(::getpid())) {
    usable_ = ::mkdir(folder_.c_str(), 0755) == 0;
  }
  ~Freezer() {
    if (usable_) ::rmdir(folder_.c_str());
  }
  bool usable() const { return usable_; }
  void take(pid_t pid) const { std::ofstream(folder_ + "/cgroup.procs") << pid; }
  void freeze(bool frozen) const { std::ofstream(folder_ + "/freezer.state") << (frozen ? "FROZEN" : "THAWED"); }

 private:
  std::string folder_;
  bool usable_ = false;
};

TEST(LongP1Unkillable, AWorkerThatNothingEndsKeepsItsTaskNotWaiting) {
  const Freezer freezer;
  if (!freezer.usable()) GTEST_SKIP() << "no freezer of cgroup v1 here";
  {
    Pool pool(small_pool());
    Gate begun;
    TaskOptions limited;
    limited.timeout = 300ms;
    auto stuck = pool.submit(
        limited,
        [](const std::string& path) {
          Gate::knock(path);
          hang();
        },
        begun.path());
    begun.await();
    for (const std::int64_t pid : pool.worker_pids()) freezer.take(static_cast<pid_t>(pid));
    freezer.freeze(true);
    const CrashReport report = death_of(stuck);
    EXPECT_EQ(report.cause, Cause::deadline);
    EXPECT_THAT(report.detail, ::testing::HasSubstr("has not ended"));
    freezer.freeze(false);
    EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
  }
}

/// Descriptors and forks run out and come back at random, and workers die all the while.
TEST(LongP1Refusals, ThousandsOfDeathsLeaveAWholePool) {
  EXPECT_EQ(in_child([] {
              constexpr int most_deaths = 10'000;
              allow_descriptors(256);
              PoolOptions options = small_pool();
              options.workers = 4;
              options.preload = can_be_refused;
              Pool pool(options);
              static_cast<void>(pool.started_pids(5));
              std::minstd_rand random(1);
              std::optional<NoDescriptors> none;
              std::vector<Future<int>> all;
              int killed = 0;
              while (killed < most_deaths) {
                switch (random() % 8) {
                  case 0: none.emplace(static_cast<int>(random() % 10)); break;
                  case 1: allow_processes(pool.zygote_pid(), false); break;
                  case 2:
                  case 3: none.reset(); break;
                  case 4:
                  case 5: allow_processes(pool.zygote_pid(), true); break;
                  default: break;
                }
                for (int i = 0; i < 3; ++i) all.push_back(pool.submit([](int x) { return x; }, killed));
                static_cast<void>(all.back().wait_for(5ms));
                const std::vector<std::int64_t> pids = pool.worker_pids();
                for (std::size_t i = 0; i < pids.size(); i += 2, ++killed) ::kill(static_cast<pid_t>(pids[i]), SIGKILL);
              }
              none.reset();
              allow_processes(pool.zygote_pid(), true);
              std::uint64_t values = 0;
              std::uint64_t died = 0;
              for (auto& future : all) ++(future.outcome().ok() ? values : died);
              EXPECT_EQ(pool.started_pids(5).size(), 5U);
              EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
              EXPECT_TRUE(pool.broken().empty()) << pool.broken();
              EXPECT_EQ(values + 1, pool.stats().values);
              EXPECT_EQ(died, pool.stats().died);
            }),
            0);
}
}  // namespace
}  // namespace hotspare::testing
