// How a death is heard through a robust futex: docs/kernel_facts.md, "The robust futex".
#include "child.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>

namespace kernel_facts {
namespace {

using Word = std::uint32_t;

/// A robust mutex between processes; its first word is the futex that the kernel marks.
class RobustMutex {
 public:
  RobustMutex() {
    pthread_mutexattr_t attributes;
    ::pthread_mutexattr_init(&attributes);
    ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    ::pthread_mutex_init(&mutex_, &attributes);
    ::pthread_mutexattr_destroy(&attributes);
  }
  int lock() { return ::pthread_mutex_lock(&mutex_); }
  int unlock() { return ::pthread_mutex_unlock(&mutex_); }
  int make_consistent() { return ::pthread_mutex_consistent(&mutex_); }
  std::atomic<Word>& word() { return *reinterpret_cast<std::atomic<Word>*>(&mutex_); }
  bool owner_died() { return (word().load() & FUTEX_OWNER_DIED) != 0; }

 private:
  pthread_mutex_t mutex_;
};

// The word is where the mutex begins: glibc gives no name to it, so this is a fact of its layout.
static_assert(offsetof(pthread_mutex_t, __data.__lock) == 0);

/// A thread in futex_waitv on one shared word, as long as that holds the value given.
class Listener {
 public:
  Listener(std::atomic<Word>& word, Word expected) : thread_([this, &word, expected] { listen(word, expected); }) {}
  ~Listener() { join(); }

  /// Waits until the thread sleeps in the kernel.
  void await_sleep() const {
    const std::string task = "/proc/self/task/";
    for (;;) {
      const int tid = tid_.load();
      const std::string folder = task + std::to_string(tid);
      std::string syscall_number;
      std::string stat;
      std::ifstream(folder + "/syscall") >> syscall_number;
      std::getline(std::ifstream(folder + "/stat"), stat);
      const auto state = stat.rfind(") ");
      if (tid != 0 && syscall_number == std::to_string(SYS_futex_waitv) && state != std::string::npos &&
          stat[state + 2] == 'S') {
        return;
      }
      ::sched_yield();
    }
  }
  /// 0 when it was woken; -errno otherwise (-EAGAIN: the word no longer held the value).
  long join() {
    if (thread_.joinable()) thread_.join();
    return result_;
  }
  std::atomic<bool> pidfd_was_silent{false};

  std::atomic<int> watched_pidfd{-1};

 private:
  void listen(std::atomic<Word>& word, Word expected) {
    tid_ = ::gettid();
    futex_waitv wait{};
    wait.val = expected;
    wait.uaddr = reinterpret_cast<std::uintptr_t>(&word);
    wait.flags = FUTEX_32;  // shared: no FUTEX_PRIVATE_FLAG
    do {
      result_ = ::syscall(SYS_futex_waitv, &wait, 1, 0, nullptr, CLOCK_MONOTONIC);
    } while (result_ < 0 && errno == EINTR);
    if (result_ < 0) result_ = -errno;
    pollfd event{watched_pidfd, POLLIN, 0};
    pidfd_was_silent = ::poll(&event, 1, 0) == 0;
  }
  std::atomic<int> tid_{0};
  long result_ = 0;
  std::thread thread_;  // last: it uses what stands above
};

/// A child that holds the mutex until it is killed.
Child owner_of(Shared<RobustMutex>& mutex, std::size_t resident_bytes = 0) {
  return Child([&](const Child& self) {
    if (resident_bytes != 0) {
      void* memory =
          ::mmap(nullptr, resident_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
      if (memory == MAP_FAILED) ::_exit(1);
    }
    mutex->lock();
    self.ring_and_wait();
  });
}

TEST(RobustFutex, WordHoldsTheThreadIdOfItsOwner) {
  Shared<RobustMutex> mutex;
  Child child = owner_of(mutex);
  ASSERT_TRUE(child.await());
  EXPECT_EQ(mutex->word() & FUTEX_TID_MASK, static_cast<Word>(child.pid()));
}

TEST(RobustFutex, SigkillOfTheOwnerMarksTheWord) {
  Shared<RobustMutex> mutex;
  Child child = owner_of(mutex);
  ASSERT_TRUE(child.await());
  EXPECT_FALSE(mutex->owner_died());
  child.kill();
  child.reap();
  EXPECT_TRUE(mutex->owner_died());
  EXPECT_EQ(mutex->word() & FUTEX_TID_MASK, 0U);
  EXPECT_EQ(mutex->lock(), EOWNERDEAD);
  EXPECT_EQ(mutex->make_consistent(), 0);
  EXPECT_EQ(mutex->unlock(), 0);
}

TEST(RobustFutex, WaiterIsWokenWhenTheWordSaysThatThereIsOne) {
  Shared<RobustMutex> mutex;
  Child child = owner_of(mutex);
  ASSERT_TRUE(child.await());
  const Word announced = mutex->word().fetch_or(FUTEX_WAITERS) | FUTEX_WAITERS;
  Listener listener(mutex->word(), announced);
  listener.await_sleep();
  child.kill();
  EXPECT_EQ(listener.join(), 0);
  EXPECT_TRUE(mutex->owner_died());
  EXPECT_NE(mutex->word() & FUTEX_WAITERS, 0U) << "the mark keeps the bit";
}

TEST(RobustFutex, WaiterSleepsOnWhenTheWordDoesNotSayThatThereIsOne) {
  Shared<RobustMutex> mutex;
  Child child = owner_of(mutex);
  ASSERT_TRUE(child.await());
  Listener listener(mutex->word(), mutex->word());
  listener.await_sleep();
  child.kill();
  child.reap();
  EXPECT_TRUE(mutex->owner_died());
  const long woken_by_us = ::syscall(SYS_futex, &mutex->word(), FUTEX_WAKE, 1, nullptr, nullptr, 0);
  EXPECT_EQ(woken_by_us, 1) << "it was still asleep after the death";
  EXPECT_EQ(listener.join(), 0);
}

// The order of an exit: robust futexes, memory, files, then the pidfd. Only its sure half is asserted: that whoever hears
// the pidfd finds the word marked. How early the word is depends on who runs when, and is a figure, not a fact.
TEST(RobustFutex, WordIsMarkedBeforeThePidfdTells) {
  Shared<RobustMutex> mutex;
  Child child = owner_of(mutex, std::size_t{256} << 20);
  ASSERT_TRUE(child.await());
  const Word announced = mutex->word().fetch_or(FUTEX_WAITERS) | FUTEX_WAITERS;
  Listener listener(mutex->word(), announced);
  listener.watched_pidfd = child.pidfd();
  listener.await_sleep();
  child.kill();
  child.await_death();
  EXPECT_TRUE(mutex->owner_died());
  EXPECT_EQ(listener.join(), 0);
  RecordProperty("pidfd_was_silent_at_the_wake", listener.pidfd_was_silent ? "yes" : "no");
}

TEST(RobustFutex, WordIsMarkedBeforeASocketHangsUp) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  Descriptor ours(ends[0]);
  Descriptor theirs(ends[1]);
  Shared<RobustMutex> mutex;
  Child child = owner_of(mutex);
  theirs.reset();
  ASSERT_TRUE(child.await());
  child.kill();
  pollfd event{ours.get(), 0, 0};
  while (::poll(&event, 1, -1) < 0 && errno == EINTR) {
  }
  EXPECT_NE(event.revents & POLLHUP, 0);
  EXPECT_TRUE(mutex->owner_died());
}

// WARNING: so a worker must take its robust mutex in the thread that lives as long as the process.
TEST(RobustFutex, EndOfTheOwningThreadMarksTheWordToo) {
  Shared<RobustMutex> mutex;
  std::thread([&] { mutex->lock(); }).join();
  EXPECT_TRUE(mutex->owner_died()) << "though this process lives";
}

// WARNING: so a mark alone does not prove that the process is gone: a worker that calls exec rings as well.
TEST(RobustFutex, ExecMarksTheWordToo) {
  std::array<int, 2> closed_by_exec{};
  std::array<int, 2> input{};
  ASSERT_EQ(::pipe2(closed_by_exec.data(), O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(input.data(), O_CLOEXEC), 0);
  Descriptor exec_seen(closed_by_exec[0]);
  Descriptor exec_held(closed_by_exec[1]);
  Descriptor input_read(input[0]);
  Descriptor input_write(input[1]);
  Shared<RobustMutex> mutex;
  Child child([&](const Child&) {
    mutex->lock();
    ::dup2(input_read.get(), STDIN_FILENO);
    ::execlp("cat", "cat", static_cast<char*>(nullptr));
  });
  exec_held.reset();
  char byte = 0;
  ASSERT_EQ(::read(exec_seen.get(), &byte, 1), 0) << "end of file: exec has closed the other end";
  EXPECT_TRUE(mutex->owner_died());
  siginfo_t info{};
  EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOHANG | WNOWAIT), 0);
  EXPECT_EQ(info.si_pid, 0) << "the process lives, and waits for input";
}

TEST(RobustFutex, ForkedChildDoesNotInheritTheList) {
  Shared<RobustMutex> mutex;
  ASSERT_EQ(mutex->lock(), 0);
  Child child([](const Child&) {});
  child.reap();
  EXPECT_FALSE(mutex->owner_died());
  EXPECT_EQ(mutex->unlock(), 0);
}

}  // namespace
}  // namespace kernel_facts
