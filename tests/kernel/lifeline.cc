// How processes end with their host: docs/kernel_facts.md, "The lifeline".
#include "child.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <memory>
#include <thread>

namespace kernel_facts {
namespace {

struct Lifeline {
  Descriptor host;
  Descriptor worker;
};

Lifeline make_lifeline() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

/// From now on the kernel kills this process's group when anything happens on the socket.
void arm(int fd) {
  ::setpgid(0, 0);
  ::fcntl(fd, F_SETOWN, -::getpgrp());
  ::fcntl(fd, F_SETSIG, SIGKILL);
  ::fcntl(fd, F_SETFL, O_ASYNC);
}

void expect_killed(Child& child) {
  const siginfo_t info = child.reap();
  EXPECT_EQ(info.si_code, CLD_KILLED);
  EXPECT_EQ(info.si_status, SIGKILL);
}

TEST(Lifeline, CloseOfTheOtherEndKillsAProcessThatBlocksAllSignals) {
  Lifeline line = make_lifeline();
  Child child([&](const Child& self) {
    line.host.reset();
    arm(line.worker.get());
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
    self.ring_and_wait();
  });
  ASSERT_TRUE(child.await());
  line.host.reset();
  expect_killed(child);
}

TEST(Lifeline, CloseOfTheOtherEndKillsAStoppedProcess) {
  Lifeline line = make_lifeline();
  Child child([&](const Child& self) {
    line.host.reset();
    arm(line.worker.get());
    ::raise(SIGSTOP);
    self.ring_and_wait();  // never: nobody continues it
  });
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WSTOPPED), 0);
  line.host.reset();
  expect_killed(child);
}

TEST(Lifeline, CloseOfTheOtherEndKillsTheWholeGroup) {
  // A subreaper, so that the grandchild comes to us when its parent is gone, and can be reaped.
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  Lifeline line = make_lifeline();
  Shared<pid_t> grandchild;
  Child child([&](const Child& self) {
    line.host.reset();
    arm(line.worker.get());
    const pid_t forked = ::fork();
    if (forked == 0) {
      for (;;) ::pause();
    }
    *grandchild = forked;
    self.ring_and_wait();
  });
  ASSERT_TRUE(child.await());
  line.host.reset();
  expect_killed(child);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(*grandchild), &info, WEXITED), 0);
  EXPECT_EQ(info.si_status, SIGKILL);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

// The descriptor that is armed is the open file, not its number: the kernel's end lives as long as any copy of it.
TEST(Lifeline, HoldsWhenTheWorkerHasACopyOfTheDescriptorOnly) {
  Lifeline line = make_lifeline();
  Child child([&](const Child& self) {
    line.host.reset();
    arm(line.worker.get());
    const int copy = ::dup(line.worker.get());
    line.worker.reset();
    if (copy >= 0) self.ring_and_wait();
  });
  ASSERT_TRUE(child.await());
  line.host.reset();
  expect_killed(child);
}

// WARNING: so nothing may ever be sent on a lifeline.
TEST(Lifeline, DataKillsToo) {
  Lifeline line = make_lifeline();
  Child child([&](const Child& self) {
    line.host.reset();
    arm(line.worker.get());
    self.ring_and_wait();
  });
  ASSERT_TRUE(child.await());
  ASSERT_EQ(::send(line.host.get(), "x", 1, MSG_NOSIGNAL), 1);
  expect_killed(child);
}

// WARNING: so a worker that closes every descriptor has no lifeline any more; its host must notice that the socket hung up.
TEST(Lifeline, WorkerThatClosesItIsSeenByTheHost) {
  Lifeline line = make_lifeline();
  Child child([&](const Child& self) {
    line.host.reset();
    arm(line.worker.get());
    line.worker.reset();
    self.ring_and_wait();
  });
  line.worker.reset();
  ASSERT_TRUE(child.await());
  pollfd event{line.host.get(), 0, 0};
  while (::poll(&event, 1, -1) < 0 && errno == EINTR) {
  }
  EXPECT_NE(event.revents & POLLHUP, 0);
}

// WARNING: why PR_SET_PDEATHSIG cannot be the lifeline: the parent it watches is a thread.
TEST(ParentDeathSignal, ComesWhenTheThreadThatForkedEnds) {
  std::unique_ptr<Child> child;
  std::thread([&] {
    child = std::make_unique<Child>([](const Child& self) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      self.ring_and_wait();
    });
    EXPECT_TRUE(child->await());
  }).join();
  expect_killed(*child);
}

}  // namespace
}  // namespace kernel_facts
