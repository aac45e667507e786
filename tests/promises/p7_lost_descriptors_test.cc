#include "support/standby.hpp"
#include "support/test_pool.hpp"

#include <hotspare/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <fcntl.h>
#include <memory>
#include <sched.h>
#include <string>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

/// P7, when code of the program closes all descriptors that it finds while a pool or a channel lives. Each in a process of its
/// own, which is the host.
namespace hotspare::testing {
namespace {

using ::testing::HasSubstr;

/// Runs a host, which tells by its exit code which step failed; 0: none did.
template <class Host>
void expect_good(Host host) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(host());
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

/// The program's own files, opened where the closed ones were.
class OwnFiles {
 public:
  OwnFiles() {
    for (int& fd : fds_) fd = static_cast<int>(::syscall(SYS_memfd_create, "own", 0u));
  }
  bool untouched() const {
    for (const int fd : fds_) {
      struct stat about {};
      if (::fstat(fd, &about) != 0 || about.st_size != 0) return false;
    }
    return true;
  }

 private:
  std::array<int, 60> fds_{};
};

template <class Future>
bool says_why(const Future& future) {
  try {
    future.get();
    return true;  // it was done before
  } catch (const PoolBroken& broken) {
    return std::string(broken.what()).find("closed descriptors that are the pool's") != std::string::npos;
  }
}

class P7LostDescriptors : public ::testing::TestWithParam<unsigned> {};

TEST_P(P7LostDescriptors, EveryTaskOfAPoolSettlesAndItCloses) {
  expect_good([] {
    Pool pool(small_pool());
    pool.submit([] {}).get();
    std::vector<Future<void>> futures;
    for (int i = 0; i < 8; ++i)
      futures.push_back(pool.submit([] {
        for (;;) ::pause();
      }));
    ::syscall(SYS_close_range, GetParam(), ~0u, 0u);
    const OwnFiles own;
    for (const auto& future : futures)
      if (!says_why(future)) return 1;
    try {
      if (!says_why(pool.submit([] {}))) return 2;
    } catch (const PoolBroken&) {
    }
    if (pool.broken().empty()) return 3;
    if (!own.untouched()) return 4;
    pool.shutdown();
    return own.untouched() ? 0 : 5;
  });
}

TEST_P(P7LostDescriptors, AnotherPoolWorks) {
  expect_good([] {
    Pool pool(small_pool());
    const auto future = pool.submit([] {
      for (;;) ::pause();
    });
    ::syscall(SYS_close_range, GetParam(), ~0u, 0u);
    if (!says_why(future)) return 1;
    pool.shutdown();
    Pool another(small_pool());
    return another.submit([](int x) { return x; }, 7).get() == 7 ? 0 : 2;
  });
}

TEST_P(P7LostDescriptors, AChannelIsBrokenAndCloses) {
  expect_good([] {
    const Beacon beacon;
    auto channel = std::make_unique<StandbyChannel<Twice>>(small_channel(StandbyMode::stateless), beacon.path());
    ::syscall(SYS_close_range, GetParam(), ~0u, 0u);
    const OwnFiles own;
    while (channel->broken().empty()) ::sched_yield();
    if (channel->broken().find("closed descriptors that are the channel's") == std::string::npos) return 2;
    channel.reset();
    return own.untouched() ? 0 : 3;
  });
}

INSTANTIATE_TEST_SUITE_P(FromNumber, P7LostDescriptors, ::testing::Values(3U));

}  // namespace
}  // namespace hotspare::testing
