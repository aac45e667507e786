#include "support/beacon.hpp"
#include "support/one_death.hpp"
#include "support/sanitizer.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

/// P5. A task's memory limit holds for whatever kind of memory it takes, and for nothing that it does not take. A limit that
/// does not hold shows as a task that comes to its end.
namespace hotspare::testing {

constexpr std::size_t mb = 1 << 20;

/// Touches memory at 1 GB/s or less, and tells how far it is, MB. Volatile: what is written counts although nobody reads it.
HOTSPARE_GUILTY void touches_slowly(volatile char* room, std::size_t megabytes, Beacon& beacon, std::size_t word) {
  using Clock = std::chrono::steady_clock;
  constexpr std::size_t step = 4;
  for (std::size_t done = 0; done < megabytes; done += step) {
    const auto begin = Clock::now();
    for (std::size_t at = done * mb; at < (done + step) * mb; at += 4096) room[at] = 1;
    beacon.tell(done + step, word);
    while (Clock::now() - begin < std::chrono::milliseconds(step)) {
    }
  }
}

namespace {

constexpr std::size_t limit_mb = 500;
constexpr std::size_t far_mb = 1500;      ///< What a hog takes when nobody ends it.
constexpr std::size_t ended_by_mb = 700;  ///< The promise: at 1 GB/s it is ended before.

enum Word : std::size_t { touched, neighbour_runs, hog_is_over, pid };

char* shared_room(std::size_t megabytes) {
  void* room = ::mmap(nullptr, megabytes * mb, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) std::abort();
  return static_cast<char*>(room);
}
char* memfd_room(std::size_t megabytes) {
  const int fd = static_cast<int>(::syscall(SYS_memfd_create, "the task's own", 1u));
  if (::ftruncate(fd, static_cast<off_t>(megabytes * mb)) != 0) std::abort();
  void* room = ::mmap(nullptr, megabytes * mb, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (room == MAP_FAILED) std::abort();
  return static_cast<char*>(room);
}

HOTSPARE_GUILTY void hogs_the_heap(const std::string& path) {
  Beacon beacon(path);
  Beacon each;
  for (std::size_t done = 0; done < far_mb; done += 4) {
    touches_slowly(new char[4 * mb], 4, each, touched);  // NOLINT: kept, that is the point
    beacon.tell(done + 4, touched);
  }
}
HOTSPARE_GUILTY void hogs_shared_memory(const std::string& path) {
  Beacon beacon(path);
  touches_slowly(shared_room(far_mb), far_mb, beacon, touched);
}
HOTSPARE_GUILTY void hogs_a_memfd(const std::string& path) {
  Beacon beacon(path);
  touches_slowly(memfd_room(far_mb), far_mb, beacon, touched);
}

/// In a child the limit of the heap holds, too, for each by itself; without it the sum is what counts.
void hogs_in_a_child(const std::string& path, void (*hog)(const std::string&), void (*first)()) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (first != nullptr) first();
    hog(path);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
}
void no_limit_of_its_own() {
  rlimit limit{};
  ::getrlimit(RLIMIT_DATA, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_DATA, &limit);
}
void leave_the_group() { ::setsid(); }

void hogs_shared_memory_in_a_child(const std::string& path) { hogs_in_a_child(path, hogs_shared_memory, nullptr); }
void hogs_the_heap_in_a_child(const std::string& path) { hogs_in_a_child(path, hogs_the_heap, no_limit_of_its_own); }
void hogs_in_a_session_of_its_own(const std::string& path) {
  hogs_in_a_child(path, hogs_shared_memory, leave_the_group);
}
/// Each stays below the limit.
void hogs_in_four_children(const std::string& path) {
  for (int i = 0; i < 4; ++i) {
    if (::fork() != 0) continue;
    Beacon beacon(path);
    Beacon each_step;
    char* const room = shared_room(far_mb / 4);
    for (std::size_t done = 0; done < far_mb / 4; done += 4) {
      touches_slowly(room + done * mb, 4, each_step, touched);
      beacon.add(4, touched);
    }
    ::_exit(0);
  }
  while (::wait(nullptr) > 0) {
  }
}

struct Hog {
  const char* name;
  void (*task)(const std::string&);
  const char* told;
};

class P5Memory : public OneDeath {
 protected:
  P5Memory() { options_.memory_limit = limit_mb * mb; }
  Beacon beacon_;
};

class P5MemoryHog : public P5Memory, public ::testing::WithParamInterface<Hog> {};

TEST_P(P5MemoryHog, IsEndedInTimeAndNobodyElse) {
  if (sanitized()) GTEST_SKIP() << "the sanitizer maps terabytes, so that no limit can be set";
  // Long before the other begins, and long after it is over.
  auto neighbour = pool_.submit(
      [](const std::string& path) {
        Beacon beacon(path);
        beacon.tell(1, neighbour_runs);
        return std::pair(::getpid(), beacon.wait(hog_is_over));
      },
      beacon_.path());
  beacon_.wait(neighbour_runs);
  const auto future = pool_.submit(options_, GetParam().task, beacon_.path());
  const auto outcome = future.outcome();
  beacon_.tell(7, hog_is_over);
  EXPECT_EQ(neighbour.get().second, 7u);
  ASSERT_NE(outcome.report(), nullptr) << "it took " << beacon_.told(touched) << " MB";
  const CrashReport report = report_of(future);
  EXPECT_EQ(report.cause, Cause::memory_limit) << report.text();
  EXPECT_LT(beacon_.told(touched), ended_by_mb) << report.text();
  EXPECT_GT(beacon_.told(touched), limit_mb * 9 / 10) << report.text();
  EXPECT_LT(report.peak_rss_bytes, ended_by_mb * mb);
  EXPECT_FALSE(report.native_stack().empty()) << report.text();
  EXPECT_THAT(report.evidence, ::testing::HasSubstr("500 MB")) << report.text();
  EXPECT_THAT(report.evidence, ::testing::HasSubstr(GetParam().told)) << report.text();
  EXPECT_EQ(pool_.stats().deaths, 1u);
}

INSTANTIATE_TEST_SUITE_P(Hogs, P5MemoryHog,
                         ::testing::Values(Hog{"Heap", hogs_the_heap, "operator new"},
                                           Hog{"SharedAnonymous", hogs_shared_memory, "MB shared"},
                                           Hog{"Memfd", hogs_a_memfd, "MB shared"},
                                           Hog{"SharedInAChild", hogs_shared_memory_in_a_child, "in 1 child"},
                                           Hog{"HeapInAChild", hogs_the_heap_in_a_child, "in 1 child"},
                                           Hog{"SessionOfItsOwn", hogs_in_a_session_of_its_own, "in 1 child"},
                                           Hog{"FourChildren", hogs_in_four_children, "in 4 children"}),
                         [](const auto& hog) { return std::string(hog.param.name); });

TEST_F(P5Memory, SigkillFromOutsideNearTheLimitIsNotTheLimit) {
  if (sanitized()) GTEST_SKIP() << "the sanitizer maps terabytes, so that no limit can be set";
  const auto future = pool_.submit(
      options_,
      [](const std::string& path) {
        Beacon beacon(path);
        touches_slowly(shared_room(limit_mb - 20), limit_mb - 20, beacon, touched);
        beacon.tell(static_cast<std::uint64_t>(::getpid()), pid);
        for (;;) ::pause();
      },
      beacon_.path());
  ::kill(static_cast<pid_t>(beacon_.wait(pid)), SIGKILL);
  const CrashReport report = report_of(future);
  EXPECT_EQ(report.cause, Cause::signal) << report.text();
  EXPECT_EQ(report.signal, SIGKILL);
  EXPECT_THAT(report.evidence, ::testing::HasSubstr("from outside"));
}

/// For long enough that it is looked at several times.
void stay(Beacon& beacon) {
  std::this_thread::sleep_for(std::chrono::milliseconds(400));  // style: nothing happens, that is the point
  beacon.tell(1, hog_is_over);
}

class P5MemoryInnocent : public P5Memory {
 protected:
  P5MemoryInnocent() { options_.memory_limit = 100 * mb; }
  void expect_no_death() const { EXPECT_EQ(pool_.stats().deaths, 0u); }
};

TEST_F(P5MemoryInnocent, LargePayloadsDoNotCount) {
  if (sanitized()) GTEST_SKIP() << "what a sanitizer notes about memory is memory, too";
  Buffer argument = pool_.buffer(300 * mb);
  std::fill_n(argument.data(), argument.size(), std::byte{3});
  const Buffer result = pool_
                            .submit(
                                options_,
                                [](const Buffer& given, const std::string& path) {
                                  Buffer made = Buffer::make(200 * mb);
                                  for (std::size_t at = 0; at < made.size(); at += 4096)
                                    made.data()[at] = given.data()[at];
                                  for (std::size_t at = 0; at < given.size(); at += 4096)
                                    made.data()[0] = given.data()[at];
                                  Beacon beacon(path);
                                  stay(beacon);
                                  return made;
                                },
                                argument, beacon_.path())
                            .get();
  EXPECT_EQ(result.size(), 200 * mb);
  EXPECT_EQ(result.data()[4096], std::byte{3});
  expect_no_death();
}

TEST_F(P5MemoryInnocent, WhatAForkSharesWithItsParentCountsOnce) {
  if (sanitized()) GTEST_SKIP() << "the sanitizer maps terabytes, so that no limit can be set";
  const bool done = pool_
                        .submit(
                            options_,
                            [](const std::string& path) {
                              Beacon beacon(path);
                              touches_slowly(new char[60 * mb], 60, beacon, touched);  // NOLINT: the worker ends soon
                              touches_slowly(shared_room(20), 20, beacon, touched);
                              for (int i = 0; i < 3; ++i)
                                if (::fork() == 0)
                                  for (;;) ::pause();
                              stay(beacon);
                              return true;
                            },
                            beacon_.path())
                        .get();
  EXPECT_TRUE(done);
  expect_no_death();
}

TEST(P5MemoryInherited, WhatAnEarlierTaskLeftDoesNotCount) {
  if (sanitized()) GTEST_SKIP() << "what a sanitizer notes about memory is memory, too";
  PoolOptions one = small_pool();
  one.workers = 1;
  Pool pool(one);
  Beacon beacon;
  TaskOptions options;
  options.memory_limit = 100 * mb;
  pool.submit(
          [](const std::string& path) {
            Beacon shared(path);
            touches_slowly(shared_room(200), 200, shared, touched);
          },
          beacon.path())
      .get();
  pool.submit(
          options,
          [](const std::string& path) {
            Beacon shared(path);
            touches_slowly(shared_room(60), 60, shared, touched);
            stay(shared);
          },
          beacon.path())
      .get();
  EXPECT_EQ(pool.stats().deaths, 0u);
}

TEST_F(P5MemoryInnocent, FilesDoNotCount) {
  std::FILE* const file = std::tmpfile();
  ASSERT_EQ(::ftruncate(::fileno(file), 300 * mb), 0);
  const std::string path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(::fileno(file));
  pool_
      .submit(
          options_,
          [](const std::string& name, const std::string& told) {
            const int fd = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
            void* all = ::mmap(nullptr, 300 * mb, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
            ::close(fd);
            if (all == MAP_FAILED) std::abort();
            Beacon beacon(told);
            stay(beacon);
          },
          path, beacon_.path())
      .get();
  std::fclose(file);
  expect_no_death();
}

/// What a host has put there for all its workers is nobody's doing.
TEST(P5MemoryInherited, SharedMemoryOfTheHostDoesNotCount) {
  if (start_method() != Start::fork) GTEST_SKIP() << "nothing is inherited from the host";
  Beacon beacon;
  static const char* inherited = nullptr;
  char* const room = shared_room(200);
  for (std::size_t at = 0; at < 200 * mb; at += 4096) room[at] = 1;
  inherited = room;
  Pool pool(small_pool());
  TaskOptions options;
  options.memory_limit = 100 * mb;
  const int sum = pool.submit(
                          options,
                          [](const std::string& path) {
                            int all = 0;
                            for (std::size_t at = 0; at < 200 * mb; at += 4096) all += inherited[at];
                            Beacon told(path);
                            stay(told);
                            return all;
                          },
                          beacon.path())
                      .get();
  EXPECT_EQ(sum, 200 * 256);
  EXPECT_EQ(pool.stats().deaths, 0u);
  ::munmap(room, 200 * mb);
}

}  // namespace
}  // namespace hotspare::testing
