#include "support/gate.hpp"
#include "support/sanitizer.hpp"
#include "support/test_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <functional>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/// P1 for the memory that processes share: nobody else's fork, orphan or appetite changes a byte of what a caller holds,
/// and what it takes is bounded, and given back.
namespace hotspare::testing {
namespace {

constexpr std::size_t mb = std::size_t{1} << 20;

Buffer filled_buffer(std::size_t size, int value) {
  Buffer made = Buffer::make(size);
  std::memset(made.data(), value, size);
  return made;
}
bool is_all(std::span<const std::byte> bytes, int value) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [value](std::byte byte) { return std::to_integer<int>(byte) == value; });
}
std::size_t differing(const std::vector<unsigned char>& bytes) {
  return static_cast<std::size_t>(
      std::count_if(bytes.begin(), bytes.end(), [](unsigned char byte) { return byte != 7; }));
}

/// What a fork of this process says: 0 is well. It ends without a word to the test's own machinery.
int in_fork(const std::function<int()>& run) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(run());
  int status = -1;
  while (::waitpid(child, &status, 0) == -1 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/// A soft limit of this process, for as long as it lives.
class Limit {
 public:
  Limit(__rlimit_resource what, rlim_t value) : what_(what) {
    EXPECT_EQ(::getrlimit(what_, &before_), 0);
    const rlimit now{std::min(value, before_.rlim_max), before_.rlim_max};
    EXPECT_EQ(::setrlimit(what_, &now), 0);
  }
  ~Limit() { ::setrlimit(what_, &before_); }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;

 private:
  __rlimit_resource what_;
  rlimit before_{};
};

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* const folder = ::opendir("/proc/self/fd");
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count - 3;  // ".", "..", and the folder itself
}

/// Any error that says why; another one, or none, is the empty string.
std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

/// Until what the pool gave back has reached the system. How long that takes is no promise.
void wait_until_nothing_is_held(Pool& pool) {
  while (pool.stats().segment_bytes != 0) pool.submit([] {}).get();
}

void drop_in_forks(int rounds, bool without_descriptors) {
  const Limit descriptors(RLIMIT_NOFILE, without_descriptors ? 256 : 4096);
  Pool pool(small_pool());
  std::vector<Buffer> results;
  for (int i = 0; i < 100; ++i) results.push_back(pool.submit(filled_buffer, 100'000, 1 + i).get());
  std::vector<Future<std::vector<unsigned char>>> large;
  for (int i = 0; i < 4; ++i) large.push_back(pool.submit([] { return std::vector<unsigned char>(500'000, 7); }));
  for (const auto& future : large) future.wait();
  Buffer of_the_host = pool.buffer(300'000);
  std::memset(of_the_host.data(), 7, of_the_host.size());
  for (int round = 0; round < rounds; ++round) {
    ASSERT_EQ(in_fork([&] {
                results.clear();
                large.clear();
                of_the_host = Buffer();
                return 0;
              }),
              0);
    ASSERT_TRUE(is_all(of_the_host.bytes(), 7)) << round;
    for (std::size_t i = 0; i < results.size(); i += static_cast<std::size_t>(round) % 7 + 1)
      ASSERT_TRUE(is_all(results[i].bytes(), 1 + static_cast<int>(i))) << round;
  }
  for (std::size_t i = 0; i < results.size(); ++i) EXPECT_TRUE(is_all(results[i].bytes(), 1 + static_cast<int>(i)));
  for (const auto& future : large) EXPECT_EQ(differing(future.get()), 0u);
  EXPECT_EQ(pool.submit(differing, std::vector<unsigned char>(500'000, 7)).get(), 0u);
}

TEST(P1SharedMemory, WhatForksOfTheHostDropStaysWhole) { drop_in_forks(50, false); }
TEST(P1SharedMemory, AlsoWithFewDescriptors) { drop_in_forks(50, true); }

TEST(LongSharedMemory, WhatThousandsOfForksDropStaysWhole) {
  drop_in_forks(5'000, false);
  drop_in_forks(5'000, true);
}

TEST(P1SharedMemory, ARefusedCallInAForkTouchesNothing) {
  Pool pool(small_pool());
  EXPECT_EQ(pool.submit(differing, std::vector<unsigned char>(900'000, 7)).get(), 0u);  // its segment is warm now
  Gate written;
  const pid_t child = ::fork();
  if (child == 0) {
    Gate::pass(written.path());
    const bool refused = !refusal([&] { pool.submit(differing, std::vector<unsigned char>(900'000, 0xee)); }).empty() &&
                         !refusal([&] { std::memset(pool.buffer(900'000).data(), 0xee, 900'000); }).empty();
    ::_exit(refused ? 0 : 1);
  }
  Buffer buffer = pool.buffer(900'000);
  std::memset(buffer.data(), 7, buffer.size());
  written.open();
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(is_all(buffer.bytes(), 7));
}

TEST(P1SharedMemory, WhatNeedsTheHostIsRefusedInWordsInAFork) {
  Pool pool(small_pool());
  Gate go;
  const auto pending = pool.submit([](const std::string& gate) { Gate::pass(gate); }, go.path());
  const auto done = pool.submit([] { return std::vector<unsigned char>(400'000, 7); });
  const auto buffer = pool.submit(filled_buffer, 100'000, 7);
  done.wait();
  buffer.wait();
  const std::vector<std::function<void()>> calls = {
      [&] { pending.get(); },
      [&] { pending.wait_for(std::chrono::hours(1)); },
      [&] { pending.outcome(); },
      [&] { pending.cancel(); },
      [&] { pending.on_done([](const Future<void>&) {}); },
      [&] { pending.progress(); },
      [&] { pool.submit([] {}); },
      [&] { pool.stats(); },
      [&] { pool.worker_pids(); },
      [&] { pool.resize(3); },
      [&] { pool.buffer(100); },
      [&] {
        for (const int value : pool.map([](int x) { return x; }, std::vector<int>{1, 2})) static_cast<void>(value);
      },
  };
  for (std::size_t i = 0; i < calls.size(); ++i)
    EXPECT_EQ(in_fork([&] { return refusal(calls[i]).find("fork") != std::string::npos ? 0 : 1; }), 0) << i;
  EXPECT_EQ(in_fork([&] {
              if (differing(done.get()) != 0 || !is_all(buffer.get().bytes(), 7)) return 1;
              Buffer own = Buffer::make(200'000);
              std::memset(own.data(), 1, own.size());
              return done.cancel() || done.progress() ? 2 : 0;
            }),
            0)
      << "what was there before the fork can be read";
  go.open();
  pending.wait();
}

/// A result that the host lets go of, while a fork still holds it, is nobody else's.
TEST(P1SharedMemory, WhatAForkHoldsStaysAsItWas) {
  Pool pool(small_pool());
  Buffer result = pool.submit(filled_buffer, mb, 7).get();
  Gate dropped;
  const pid_t child = ::fork();
  if (child == 0) {
    Gate::pass(dropped.path());
    ::_exit(is_all(result.bytes(), 7) ? 0 : 1);
  }
  result = Buffer();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(is_all(pool.submit(filled_buffer, mb, 0xee).get().bytes(), 0xee));
  dropped.open();
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

/// Leaves a child in a session of its own, which writes to the Buffer's address until its pipe says otherwise.
void leave_a_writer(int until) {
  static Buffer kept = Buffer::make(mb);
  std::memset(kept.data(), 1, kept.size());
  int ready[2];
  if (::pipe(ready) != 0) return;
  if (::fork() == 0) {
    ::setsid();
    ::signal(SIGSEGV, SIG_DFL);
    static_cast<void>(!::write(ready[1], "x", 1));
    ::fcntl(until, F_SETFL, O_NONBLOCK);
    char word = 0;
    while (::read(until, &word, 1) != 0) std::memset(kept.data(), 0xee, kept.size());
    ::_exit(0);
  }
  char word = 0;
  static_cast<void>(!::read(ready[0], &word, 1));
  ::close(ready[0]);
  ::close(ready[1]);
}

void expect_no_damage(bool kill_the_worker) {
  int until[2];
  ASSERT_EQ(::pipe(until), 0);
  {
    PoolOptions options = small_pool();
    options.workers = 1;
    options.start = Start::fork;  // the pipe is inherited
    if (start_method() != options.start) {
      ::close(until[0]);
      ::close(until[1]);
      GTEST_SKIP() << "the orphan is told by a pipe that it inherits";
    }
    Pool pool(options);
    pool.submit(leave_a_writer, until[0]).get();
    if (kill_the_worker) ::kill(static_cast<pid_t>(pool.worker_pids().front()), SIGKILL);
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(pool.submit(differing, std::vector<unsigned char>(900'000, 7)).get(), 0u);
      EXPECT_TRUE(is_all(pool.submit(filled_buffer, 900'000, 7).get().bytes(), 7));
    }
  }
  ::close(until[1]);
  ::close(until[0]);
}

TEST(P1SharedMemory, AnOrphanOfADeadWorkerDamagesNobody) { expect_no_damage(true); }
TEST(P1SharedMemory, AnOrphanOfALivingWorkerDamagesNobody) { expect_no_damage(false); }

TEST(P1SharedMemory, DescriptorsOfTheHostAreLeftToIt) {
  const Limit descriptors(RLIMIT_NOFILE, 256);
  Pool pool(small_pool());
  pool.submit([] {}).get();
  const std::size_t before = open_descriptors();
  {
    std::vector<Buffer> held;
    for (int i = 0; i < 500; ++i) {
      held.push_back(i % 2 == 0 ? pool.buffer(70'000) : Buffer::make(1000));
      std::memset(held.back().data(), i, held.back().size());
    }
    EXPECT_LT(open_descriptors(), before + 100);
    EXPECT_TRUE(pool.submit([](const Buffer& given) { return is_all(given.bytes(), 499 % 256); }, held.back()).get())
        << "one without a descriptor is an argument like any other";
  }
  const auto make_many = [](int count) {
    std::vector<Buffer> all;
    for (int i = 0; i < count; ++i) all.push_back(filled_buffer(1000, i));
    return static_cast<int>(all.size());
  };
  const auto first = pool.submit(make_many, 500);
  const auto second = pool.submit(make_many, 500);
  EXPECT_EQ(first.get() + second.get(), 1000);
  EXPECT_LT(open_descriptors(), before + 100);
  wait_until_nothing_is_held(pool);
  EXPECT_LE(open_descriptors(), before + 8) << "but for workers that came meanwhile";
}

TEST(P1SharedMemory, ATaskThatTakesTooManySegmentsGetsTheError) {
  Pool pool(small_pool());
  const auto too_many = pool.submit([] {
    std::vector<Buffer> all;
    for (int i = 0; i < 3000; ++i) all.push_back(Buffer::make(100));
  });
  try {
    too_many.get();
    FAIL() << "3000 of them were to be had";
  } catch (const PayloadError& error) {
    EXPECT_NE(std::string(error.what()).find("2048"), std::string::npos) << error.what();
  }
  EXPECT_TRUE(is_all(pool.submit(filled_buffer, mb, 7).get().bytes(), 7));
  EXPECT_EQ(pool.stats().deaths, 0u);
}

TEST(P1SharedMemory, MemoryIsGivenBackWhenNobodyUsesIt) {
  Pool pool(small_pool());
  for (int round = 0; round < 2; ++round) {
    std::vector<Future<Buffer>> all;
    for (int i = 0; i < 20; ++i) all.push_back(pool.submit(filled_buffer, 4 * mb, i));
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_TRUE(is_all(all[i].get().bytes(), static_cast<int>(i)));
    all.clear();
    EXPECT_LE(pool.stats().segment_bytes, 64 * mb);
    wait_until_nothing_is_held(pool);
  }
  Buffer kept = pool.submit(filled_buffer, mb, 3).get();
  pool.shutdown();
  EXPECT_EQ(pool.stats().segment_bytes, mb);
  EXPECT_TRUE(is_all(kept.bytes(), 3));
}

TEST(P1SharedMemory, TheLimitOfAFilesSizeIsAnErrorOfTheOneTask) {
  Pool pool(small_pool());
  pool.submit([] {}).get();
  {
    const Limit file_size(RLIMIT_FSIZE, mb);
    try {
      pool.submit(differing, std::vector<unsigned char>(4 * mb, 7)).get();
      FAIL() << "a memfd larger than RLIMIT_FSIZE";
    } catch (const PayloadError& error) {
      EXPECT_NE(std::string(error.what()).find("ulimit -f"), std::string::npos) << error.what();
    }
    EXPECT_THROW(pool.submit([] { return std::vector<unsigned char>(4 * mb, 7); }).get(), PayloadError);
    try {
      pool.buffer(4 * mb);
      ADD_FAILURE() << "a Buffer larger than RLIMIT_FSIZE";
    } catch (const std::bad_alloc& error) {
      EXPECT_NE(std::string(error.what()).find("ulimit -f"), std::string::npos) << error.what();
    }
    EXPECT_THROW(static_cast<void>(Buffer::make(4 * mb)), std::bad_alloc);
    EXPECT_EQ(pool.submit(differing, std::vector<unsigned char>(900'000, 7)).get(), 0u);
    const Limit nothing(RLIMIT_FSIZE, 0);
    EXPECT_NE(refusal([] { const Pool none(small_pool()); }), "");
  }
  EXPECT_EQ(pool.submit(differing, std::vector<unsigned char>(4 * mb, 7)).get(), 0u);
  EXPECT_EQ(pool.stats().deaths, 0u);
}

}  // namespace
}  // namespace hotspare::testing
