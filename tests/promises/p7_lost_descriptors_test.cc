#include "support/standby.hpp"
#include "support/test_pool.hpp"

#include <hotspare/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <sched.h>
#include <set>
#include <string>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
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
    pool.started_pids(3);
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
    pool.started_pids(3);
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

// Some of the numbers are the seed's and the zygote's, some the loops', some the workers'.
INSTANTIATE_TEST_SUITE_P(FromNumber, P7LostDescriptors, ::testing::Values(3U, 10U));
// Of a channel these are ones without which its zygote takes its time to leave.
INSTANTIATE_TEST_SUITE_P(LongFromNumber, P7LostDescriptors, ::testing::Values(14U));

/// What this process has open, from 3 on.
std::set<int> open_now() {
  std::set<int> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    all.insert(std::stoi(entry.path().filename()));
  std::erase_if(all, [](int fd) { return fd <= 2 || ::fcntl(fd, F_GETFD) < 0; });  // the folder's own
  return all;
}

/// All that a task may end with here.
template <class Future>
bool ends_well(const Future& future) {
  try {
    future.get();
  } catch (const PoolBroken& broken) {
    return std::string(broken.what()).find("closed descriptors that are the pool's") != std::string::npos;
  } catch (const WorkerDied&) {
  }
  return true;
}

/// The pool's own descriptors, those that close(2) is asked for by number: closed alone, or all from there on, at once or so
/// slowly that whatever one of them costs has happened before the next one goes.
enum class Closing { alone, from_there, slowly };

/// Closes what was opened since: the nth, and what is behind it. False: there are not so many.
bool close_since(const std::set<int>& before, std::size_t nth, Closing what) {
  std::vector<int> ours;
  for (const int fd : open_now())
    if (!before.contains(fd)) ours.push_back(fd);
  if (nth >= ours.size()) return false;
  const auto first = ours.begin() + static_cast<std::ptrdiff_t>(nth);
  const auto last = what == Closing::alone ? first + 1 : ours.end();
  std::for_each(first, last, [what](int fd) {
    ::syscall(SYS_close_range, fd, fd, 0u);
    if (what == Closing::slowly) std::this_thread::sleep_for(std::chrono::milliseconds(5));  // style: as said above
  });
  return true;
}

int use_pool_without(std::size_t nth, Closing what) {
  const std::set<int> before = open_now();
  Pool pool(small_pool());
  pool.started_pids(3);
  pool.submit([] {}).get();
  TaskOptions timed;
  timed.timeout = std::chrono::milliseconds(100);
  const auto hung = pool.submit(timed, [] {
    for (;;) ::pause();
  });
  if (!close_since(before, nth, what)) return 100;
  const OwnFiles own;
  try {
    const auto dead = pool.submit([] { std::abort(); });
    const auto another = pool.submit([] {});
    if (!ends_well(dead)) return 1;
    if (!ends_well(another)) return 2;
  } catch (const PoolBroken&) {
  }
  if (!ends_well(hung)) return 3;
  pool.shutdown();
  return own.untouched() ? 0 : 4;
}

int use_channel_without(std::size_t nth, Closing what) {
  const Beacon beacon;
  const std::set<int> before = open_now();
  auto channel = std::make_unique<StandbyChannel<Twice>>(small_channel(StandbyMode::stateless), beacon.path());
  if (!close_since(before, nth, what)) return 100;
  const OwnFiles own;
  std::array<std::byte, 8> in{};
  std::array<std::byte, 8> out{};
  for (int block = 0; block < 3; ++block) {
    channel->process(in, out);
    channel->strike(chaos::How::sigkill);
  }
  channel.reset();
  return own.untouched() ? 0 : 4;
}

template <class Use>
void sweep(Use use, Closing what, std::size_t step) {
  for (std::size_t nth = 0;; nth += step) {
    int ended = 0;
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(20);
      ::_exit(use(nth, what));
    }
    ::waitpid(child, &ended, 0);
    if (WIFEXITED(ended) && WEXITSTATUS(ended) == 100) break;
    EXPECT_TRUE(WIFEXITED(ended) && WEXITSTATUS(ended) == 0)
        << (what == Closing::alone        ? "without number "
            : what == Closing::from_there ? "without all from number "
                                          : "slowly without all from number ")
        << nth << " of its descriptors: "
        << (WIFEXITED(ended) ? "step " + std::to_string(WEXITSTATUS(ended))
                             : "signal " + std::to_string(WTERMSIG(ended)));
  }
}

TEST(P7EachLostDescriptor, SomeOfAPool) {
  sweep(use_pool_without, Closing::alone, 6);
  sweep(use_pool_without, Closing::from_there, 6);
  sweep(use_pool_without, Closing::slowly, 3);
}
TEST(LongP7EachLostDescriptor, OfAPool) {
  sweep(use_pool_without, Closing::alone, 1);
  sweep(use_pool_without, Closing::from_there, 1);
  sweep(use_pool_without, Closing::slowly, 1);
}
TEST(LongP7EachLostDescriptor, OfAChannel) {
  sweep(use_channel_without, Closing::alone, 1);
  sweep(use_channel_without, Closing::from_there, 1);
  sweep(use_channel_without, Closing::slowly, 1);
}

}  // namespace
}  // namespace hotspare::testing
