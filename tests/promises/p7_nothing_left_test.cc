#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <poll.h>
#include <unistd.h>

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

}  // namespace
}  // namespace hotspare::testing
