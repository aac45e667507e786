#include "death/sentries.hpp"

#include "os/futex.hpp"
#include "os/robust_mutex.hpp"

#include <gtest/gtest.h>

#include <linux/futex.h>
#include <new>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hotspare::death {
namespace {

/// A robust mutex that this process and its children share.
class SharedMutex {
 public:
  SharedMutex()
      : mutex_(static_cast<pthread_mutex_t*>(
            ::mmap(nullptr, sizeof(pthread_mutex_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    renew();
  }
  ~SharedMutex() { ::munmap(mutex_, sizeof(pthread_mutex_t)); }
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  std::atomic<std::uint32_t>& word() { return *reinterpret_cast<std::atomic<std::uint32_t>*>(mutex_); }
  void renew() { os::make_robust_mutex(*mutex_); }
  /// A child that holds it, and says that there is a waiter, as workers do.
  pid_t child_that_holds() {
    const pid_t child = ::fork();
    if (child == 0) {
      ::pthread_mutex_lock(mutex_);
      word().fetch_or(FUTEX_WAITERS);
      for (;;) ::pause();
    }
    while ((word().load() & FUTEX_WAITERS) == 0) ::sched_yield();
    return child;
  }

 private:
  pthread_mutex_t* mutex_;
};

void kill_and_reap(pid_t child) {
  ::kill(child, SIGKILL);
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

struct Heard {
  std::atomic<std::uint32_t> count{0};
  void wait_for(std::uint32_t least) {
    for (std::uint32_t now = count.load(); now < least; now = count.load())
      os::futex_wait(count, now, os::FutexScope::process);
  }
  std::function<void()> teller() {
    return [this] {
      ++count;
      os::futex_wake(count, 1, os::FutexScope::process);
    };
  }
};

void nothing() {}

TEST(Sentries, OneHearsDeathsOneAfterAnother) {
  Heard heard;
  SharedMutex first;
  SharedMutex second;
  Sentries sentries(nothing, heard.teller());
  const pid_t one = first.child_that_holds();
  const pid_t other = second.child_that_holds();
  sentries.start(1);
  EXPECT_TRUE(sentries.watch(first.word(), nullptr));
  EXPECT_FALSE(sentries.watch(second.word(), nullptr)) << "it has one already";
  kill_and_reap(one);
  heard.wait_for(1);
  while (!sentries.watch(second.word(), nullptr)) ::sched_yield();
  kill_and_reap(other);
  heard.wait_for(2);
}

/// It may have begun before the process took its word, or be given one whose owner is long dead.
TEST(Sentries, WheneverTheyBegin) {
  Heard heard;
  SharedMutex early;
  SharedMutex late;
  Sentries sentries(nothing, heard.teller());
  sentries.start(2);
  EXPECT_TRUE(sentries.watch(early.word(), nullptr));
  const pid_t dead = late.child_that_holds();
  kill_and_reap(dead);
  EXPECT_TRUE(sentries.watch(late.word(), nullptr));
  heard.wait_for(1);
  kill_and_reap(early.child_that_holds());
  heard.wait_for(2);
}

TEST(Sentries, OfAWordThatIsUsedAgainEachDeathIsHeard) {
  Heard heard;
  SharedMutex mutex;
  Sentries sentries(nothing, heard.teller());
  sentries.start(1);
  ASSERT_TRUE(sentries.watch(mutex.word(), nullptr, Sentries::Until::end));
  for (std::uint32_t i = 0; i < 50; ++i) {
    const std::uint32_t before = heard.count;
    kill_and_reap(mutex.child_that_holds());
    heard.wait_for(before + 1);
    mutex.renew();
  }
}

/// Its owner may have spoilt the word, so that the kernel did not mark it.
TEST(Sentries, AMarkFreesThem) {
  Heard heard;
  SharedMutex spoilt;
  SharedMutex next;
  Sentries sentries(nothing, heard.teller());
  sentries.start(1);
  ASSERT_TRUE(sentries.watch(spoilt.word(), nullptr));
  spoilt.word() = 12345;
  Sentries::mark(spoilt.word());
  heard.wait_for(1);
  while (!sentries.watch(next.word(), nullptr)) ::sched_yield();
}

TEST(Sentries, WhatTheyWatchIsKept) {
  Heard heard;
  auto kept = std::make_shared<SharedMutex>();
  const std::weak_ptr<SharedMutex> still = kept;
  {
    Sentries sentries(nothing, heard.teller());
    sentries.start(1);
    ASSERT_TRUE(sentries.watch(kept->word(), kept));
    kept.reset();
    EXPECT_FALSE(still.expired());
  }
  EXPECT_TRUE(still.expired());
}

}  // namespace
}  // namespace hotspare::death
