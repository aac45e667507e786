#include "os/end_teller.hpp"

#include "os/process.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

bool readable(const Fd& fd) {
  pollfd state{fd.get(), POLLIN, 0};
  return ::poll(&state, 1, 0) == 1;
}

TEST(EndTeller, ReadsAsAPidfdDoesWhenTheEndIsTold) {
  auto pair = make_end_teller();
  ASSERT_TRUE(pair);
  EXPECT_TRUE(is_end_teller(pair->ours));
  EXPECT_FALSE(readable(pair->ours));
  EXPECT_FALSE(exited(pair->ours));
  tell_end(pair->theirs);
  EXPECT_TRUE(readable(pair->ours));
  EXPECT_TRUE(exited(pair->ours));
  pair->theirs.reset();
  EXPECT_TRUE(exited(pair->ours)) << "still, when the teller has gone";
  EXPECT_FALSE(teller_gone(pair->ours));
}

TEST(EndTeller, ATellerThatGoesWithoutAWordTellsOfNoEnd) {
  auto pair = make_end_teller();
  ASSERT_TRUE(pair);
  EXPECT_FALSE(teller_gone(pair->ours));
  pair->theirs.reset();
  EXPECT_TRUE(readable(pair->ours));
  EXPECT_TRUE(teller_gone(pair->ours));
  EXPECT_FALSE(exited(pair->ours));
}

TEST(EndTeller, NobodyNeedsToListen) {
  auto pair = make_end_teller();
  ASSERT_TRUE(pair);
  pair->ours.reset();
  tell_end(pair->theirs);
}

TEST(EndTeller, ASignalByItIsRefused) {
  auto pair = make_end_teller();
  ASSERT_TRUE(pair);
  EXPECT_EQ(signal_process(pair->ours, SIGKILL), Delivery::refused);
}

TEST(EndTeller, APidfdIsNone) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  auto pidfd = open_pidfd(child);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  if (pidfd) {
    EXPECT_FALSE(is_end_teller(*pidfd));
    EXPECT_FALSE(teller_gone(*pidfd));
    EXPECT_TRUE(exited(*pidfd));
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(is_end_teller(Fd()));
  EXPECT_FALSE(teller_gone(Fd()));
}

TEST(ChildEnds, EachEndIsHeard) {
  auto control = make_message_sockets();
  ASSERT_TRUE(control);
  auto ends = ChildEnds::make();
  ASSERT_TRUE(ends);
  for (int i = 0; i < 20; ++i) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(i);
    while (!child_has_ended(child)) {
      EXPECT_FALSE(wait_readable(control->ours, ends->fd()));
      ends->clear();
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), i);
  }
  control->theirs.reset();
  EXPECT_TRUE(wait_readable(control->ours, ends->fd()));
}

TEST(ChildEnds, TheMaskIsWhatItWas) {
  sigset_t before;
  sigset_t after;
  ::sigprocmask(SIG_SETMASK, nullptr, &before);
  {
    auto ends = ChildEnds::make();
    ASSERT_TRUE(ends);
    ::sigprocmask(SIG_SETMASK, nullptr, &after);
    EXPECT_EQ(sigismember(&after, SIGCHLD), 1);
  }
  ::sigprocmask(SIG_SETMASK, nullptr, &after);
  EXPECT_EQ(sigismember(&after, SIGCHLD), sigismember(&before, SIGCHLD));
}

}  // namespace
}  // namespace hotspare::os
