#include "bare.hpp"

#include "realtime_stream.hpp"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bench::bare {
namespace {

struct Stage {
  pthread_mutex_t life;
  Gate victim_lives;
  Gate listener_runs;
  std::atomic<std::int64_t> heard_at{0};

  Stage() {
    pthread_mutexattr_t attributes;
    ::pthread_mutexattr_init(&attributes);
    ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    ::pthread_mutex_init(&life, &attributes);
    ::pthread_mutexattr_destroy(&attributes);
  }
  /// glibc keeps the futex word first in the mutex.
  std::atomic<std::uint32_t>& word() { return *reinterpret_cast<std::atomic<std::uint32_t>*>(&life); }
};

void be_victim(Stage& stage, std::size_t resident) {
  ::pthread_mutex_lock(&stage.life);
  make_resident(resident);
  stage.victim_lives.open();
  for (;;) ::pause();
}

void park_on_robust_futex(Stage& stage) {
  // The kernel wakes nobody when the word does not say that somebody waits.
  std::uint32_t value = stage.word().fetch_or(FUTEX_WAITERS) | FUTEX_WAITERS;
  stage.listener_runs.open();
  while ((value & FUTEX_OWNER_DIED) == 0) {
    futex_wait(stage.word(), value);
    value = stage.word().load(std::memory_order_acquire);
  }
}

void park_on_pidfd(Stage& stage, int pidfd) {
  pollfd watched{pidfd, POLLIN, 0};
  stage.listener_runs.open();
  ::poll(&watched, 1, -1);
}

double one_death_us(Notice notice, std::size_t resident, int fifo) {
  const Shared<Stage> stage;
  Child victim([&] {
    if (fifo != 0) set_fifo(fifo);
    be_victim(*stage, resident);
  });
  stage->victim_lives.wait();
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, victim.pid(), 0));
  Child listener([&] {
    if (fifo != 0) set_fifo(fifo + 1);
    if (notice == Notice::robust_futex) {
      park_on_robust_futex(*stage);
    } else {
      park_on_pidfd(*stage, pidfd);
    }
    stage->heard_at.store(now_ns(), std::memory_order_release);
  });
  ::close(pidfd);
  stage->listener_runs.wait();
  rest_ms(2);
  const std::int64_t start = now_ns();
  victim.kill();
  listener.wait();
  victim.wait();
  return static_cast<double>(stage->heard_at.load(std::memory_order_acquire) - start) / 1e3;
}

}  // namespace

Samples death_notice_us(Notice notice, std::size_t resident, int rounds, int fifo) {
  Samples samples;
  for (int i = 0; i < rounds; ++i) samples.add(one_death_us(notice, resident, fifo));
  return samples;
}

}  // namespace bench::bare
