// What the kernel tells of children: docs/kernel_facts.md, "Processes".
#include "child.hpp"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

namespace kernel_facts {
namespace {

// <linux/pidfd.h> of newer kernels; Debian 12's header lacks it.
struct PidfdInfo {
  std::uint64_t mask = 0;
  std::uint64_t cgroupid = 0;
  std::uint32_t pid = 0;
  std::uint32_t tgid = 0;
  std::uint32_t ppid = 0;
  std::array<std::uint32_t, 8> ids{};  // ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid
  std::int32_t exit_code = 0;
};
static_assert(sizeof(PidfdInfo) == 64);  // PIDFD_INFO_SIZE_VER0
constexpr std::uint64_t info_exit = 1U << 3;
constexpr unsigned long get_info = _IOC(_IOC_READ | _IOC_WRITE, 0xFF, 11, sizeof(PidfdInfo));

std::set<pid_t> listed_children() {
  std::set<pid_t> found;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream children(thread.path() / "children");
    for (pid_t pid = 0; children >> pid;) found.insert(pid);
  }
  return found;
}

TEST(Subreaper, AdoptsTheChildrenOfItsDeadChildren) {
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  Shared<pid_t> grandchild;
  Child child([&](const Child&) {
    const pid_t forked = ::fork();
    if (forked == 0) {
      for (;;) ::pause();
    }
    *grandchild = forked;
  });
  const pid_t dead_parent = child.pid();
  child.reap();
  ASSERT_GT(*grandchild, 0);
  const auto children = listed_children();
  EXPECT_TRUE(children.contains(*grandchild)) << "adopted by the time that its parent can be reaped";
  EXPECT_FALSE(children.contains(dead_parent));

  ASSERT_EQ(::kill(*grandchild, SIGKILL), 0);
  siginfo_t info{};
  EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(*grandchild), &info, WEXITED), 0);
  EXPECT_EQ(info.si_status, SIGKILL);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST(Pidfd, WaitidTellsHowItsProcessEnded) {
  Child child([](const Child&) { ::_exit(3); });
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PIDFD, static_cast<id_t>(child.pidfd()), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(info.si_pid, child.pid());
  EXPECT_EQ(info.si_code, CLD_EXITED);
  EXPECT_EQ(info.si_status, 3);
}

TEST(Pidfd, ReadableFromDeathOnAndHungUpFromReapingOn) {
  if (!kernel_is_at_least(6, 9)) GTEST_SKIP() << "EPOLLHUP on a pidfd came with Linux 6.9";
  Child child([](const Child& self) { self.ring_and_wait(); });
  ASSERT_TRUE(child.await());
  const Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  ASSERT_EQ(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, child.pidfd(), &wanted), 0);
  epoll_event event{};
  EXPECT_EQ(::epoll_wait(epoll.get(), &event, 1, 0), 0) << "silent while it lives";
  child.kill();
  ASSERT_EQ(::epoll_wait(epoll.get(), &event, 1, -1), 1);
  EXPECT_EQ(event.events, EPOLLIN) << "dead, and not reaped";
  child.reap();
  ASSERT_EQ(::epoll_wait(epoll.get(), &event, 1, -1), 1);
  EXPECT_EQ(event.events, EPOLLIN | EPOLLHUP) << "reaped";
}

// So the exit status survives even when another process reaped it: ask the pidfd after EPOLLHUP.
TEST(Pidfd, InfoHasTheExitStatusAfterReapingOnly) {
  PidfdInfo info;
  Child child([](const Child&) { ::_exit(3); });
  child.await_death();
  info.mask = info_exit;
  if (::ioctl(child.pidfd(), get_info, &info) != 0 || !kernel_is_at_least(6, 15)) {
    GTEST_SKIP() << "PIDFD_INFO_EXIT came with Linux 6.15";
  }
  EXPECT_EQ(info.mask & info_exit, 0U) << "not yet: a zombie";
  child.reap();
  info.mask = info_exit;
  ASSERT_EQ(::ioctl(child.pidfd(), get_info, &info), 0);
  ASSERT_NE(info.mask & info_exit, 0U);
  EXPECT_TRUE(WIFEXITED(info.exit_code));
  EXPECT_EQ(WEXITSTATUS(info.exit_code), 3);
}

TEST(Pidfd, SignalToAReapedProcessIsRefused) {
  Child child([](const Child&) {});
  child.reap();
  EXPECT_EQ(::syscall(SYS_pidfd_send_signal, child.pidfd(), SIGKILL, nullptr, 0), -1);
  EXPECT_EQ(errno, ESRCH) << "whoever has its number by now";
}

TEST(Signals, SigkillEndsAStoppedProcess) {
  Child child([](const Child&) { ::raise(SIGSTOP); });
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WSTOPPED), 0);
  child.kill();
  info = child.reap();
  EXPECT_EQ(info.si_code, CLD_KILLED);
  EXPECT_EQ(info.si_status, SIGKILL);
}

TEST(Vmstat, CountsWhatTheOutOfMemoryKillerKilled) {
  std::ifstream vmstat("/proc/vmstat");
  std::string name;
  bool found = false;
  for (unsigned long long value = 0; vmstat >> name >> value;) found = found || name == "oom_kill";
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace kernel_facts
