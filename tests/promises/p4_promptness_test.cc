#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

/// P4. The takeover comes before the kernel has torn the dead worker down. Order is asserted, never duration; how long
/// it takes is measured by the benchmark.
namespace hotspare::testing {
namespace {

/// Keeps so much memory resident in its worker, and waits to be killed.
void hold_memory(std::size_t bytes) {
  const std::vector<char> held(bytes, 1);
  for (;;) ::pause();
}

bool has_exited(int pidfd) {
  pollfd state{pidfd, POLLIN, 0};
  return ::poll(&state, 1, 0) == 1;
}

std::size_t resident_bytes(std::int64_t pid) {
  std::FILE* file = std::fopen(("/proc/" + std::to_string(pid) + "/statm").c_str(), "re");
  unsigned long size = 0;
  unsigned long resident = 0;
  if (file == nullptr) return 0;
  if (std::fscanf(file, "%lu %lu", &size, &resident) != 2) resident = 0;
  std::fclose(file);
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST(P4Promptness, ASpareTakesOverBeforeABigWorkersMemoryIsGone) {
  PoolOptions options = small_pool();
  options.workers = 1;
  Pool pool(options);
  pool.submit([] {}).get();
  while (pool.stats().spares == 0) pool.submit([] {}).get();
  const std::vector<std::int64_t> pids = pool.worker_pids();  // the worker, then the spare
  constexpr std::size_t big = std::size_t{1} << 30;
  auto dying = pool.submit(hold_memory, big);
  auto next = pool.submit([] { return static_cast<std::int64_t>(::getpid()); });
  while (resident_bytes(pids[0]) < big) {
  }
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pids[0], 0));
  ::kill(static_cast<pid_t>(pids[0]), SIGKILL);
  EXPECT_EQ(next.get(), pids[1]) << "not the spare that was parked, but a process forked later";
  EXPECT_FALSE(has_exited(pidfd)) << "the spare was heard only after a gigabyte had been freed";
  ::close(pidfd);
  EXPECT_THROW(dying.get(), WorkerDied);
  EXPECT_EQ(pool.stats().takeovers, 1u);
}

TEST(P4Promptness, TheSpareThatStandsInWasThereBefore) {
  Pool pool(small_pool());
  for (int round = 0; round < 20; ++round) {
    while (pool.stats().spares == 0 || pool.stats().workers < 2) pool.submit([] {}).get();
    const std::vector<std::int64_t> before = pool.worker_pids();
    auto dying = pool.submit([] { ::raise(SIGSEGV); });
    EXPECT_THROW(dying.get(), WorkerDied);
    const std::int64_t pid = pool.submit([] { return static_cast<std::int64_t>(::getpid()); }).get();
    EXPECT_NE(std::find(before.begin(), before.end(), pid), before.end());
  }
  EXPECT_EQ(pool.stats().takeovers, 20u);
}

}  // namespace
}  // namespace hotspare::testing
