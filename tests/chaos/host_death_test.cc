#include "chaos/storm_model.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

/// P7 for the worst case: the host itself is killed in the middle of a storm. Every process that belongs to its pool
/// holds the write end of one pipe; the pipe's end is the proof that all are gone.
namespace hotspare::testing {
namespace {

enum class Grandchildren : std::uint8_t { none, in_group, own_session };

void make_grandchild(Grandchildren how) {
  if (how == Grandchildren::none || ::fork() != 0) return;
  if (how == Grandchildren::own_session) ::setsid();
  for (;;) ::pause();
}

/// The host: a pool under load that says when it is in full swing, and never ends by itself.
[[noreturn]] void be_host(int ready, Grandchildren how) {
  Pool pool(small_pool());
  for (std::uint64_t i = 0;; ++i) {
    auto dying = pool.submit(
        [](Grandchildren children) {
          make_grandchild(children);
          ::raise(SIGSEGV);
        },
        how);
    auto busy = pool.submit(
        [](Grandchildren children) {
          static bool once = false;
          if (!once) make_grandchild(children);
          once = true;
        },
        how);
    busy.outcome();
    dying.outcome();
    if (i == 5 && ::write(ready, "x", 1) != 1) ::_exit(1);
  }
}

void kill_host_in_a_storm(Grandchildren how) {
  int alive[2];
  int ready[2];
  ASSERT_EQ(::pipe(alive), 0);  // inherited by all that the host starts, exec or not
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const pid_t host = ::fork();
  if (host == 0) {
    ::close(alive[0]);
    be_host(ready[1], how);
  }
  ::close(alive[1]);
  ::close(ready[1]);
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1) << "the host never got going";
  ::kill(host, SIGKILL);
  int status = 0;
  ::waitpid(host, &status, 0);
  pollfd end{alive[0], POLLIN, 0};
  EXPECT_EQ(::poll(&end, 1, 30'000), 1) << "a process of the pool outlived its host";
  EXPECT_NE(end.revents & POLLHUP, 0);
  ::close(alive[0]);
  ::close(ready[0]);
}

TEST(HostDeath, NoProcessOutlivesIt) {
  for (int i = 0; i < 5; ++i) kill_host_in_a_storm(Grandchildren::none);
}
TEST(HostDeath, NorTheWorkersChildren) { kill_host_in_a_storm(Grandchildren::in_group); }
TEST(HostDeath, NorThoseInSessionsOfTheirOwn) { kill_host_in_a_storm(Grandchildren::own_session); }

}  // namespace
}  // namespace hotspare::testing
