#include "support/beacon.hpp"
#include "support/one_death.hpp"
#include "support/sanitizer.hpp"
#include "support/under_tsan.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

/// P3. The report says what killed the worker. Every death in here is a real one.
namespace hotspare::testing {

volatile int sink = 0;
int* volatile null_pointer = nullptr;
volatile int zero = 0;

// Not in an unnamed namespace: a stack shows them by name. Work after each call keeps the calls from becoming jumps,
// which would take the callers off the stack.

HOTSPARE_GUILTY void writes_to(volatile int* address) {
  *address = 1;
  sink = 1;
}
HOTSPARE_GUILTY void writes_to_null() {
  writes_to(null_pointer);
  sink = 2;
}
HOTSPARE_GUILTY void writes_where_nothing_is(const std::string& beacon) {
  void* page = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ::munmap(page, 4096);
  Beacon(beacon).tell(reinterpret_cast<std::uintptr_t>(page) + 64);
  writes_to(reinterpret_cast<volatile int*>(static_cast<char*>(page) + 64));
  sink = 3;
}
HOTSPARE_GUILTY int reads_beyond_the_file(const std::string& beacon) {
  const int fd = static_cast<int>(::syscall(SYS_memfd_create, "cut", 0u));
  if (::ftruncate(fd, 8192) != 0) return -1;
  auto* bytes = static_cast<char*>(::mmap(nullptr, 8192, PROT_READ, MAP_SHARED, fd, 0));
  if (::ftruncate(fd, 4096) != 0) return -1;
  Beacon(beacon).tell(reinterpret_cast<std::uintptr_t>(bytes) + 5000);
  return static_cast<volatile char*>(bytes)[5000];
}
HOTSPARE_GUILTY void calls_abort() { std::abort(); }
HOTSPARE_GUILTY void frees_twice() {
  void* volatile block = std::malloc(100);
  std::free(block);
  std::free(block);  // NOLINT(clang-analyzer-unix.Malloc): the crash
  sink = 4;
}
HOTSPARE_GUILTY void throws() { throw std::runtime_error("no such star"); }
HOTSPARE_GUILTY void promises_not_to_throw() noexcept {
  throws();
  sink = 7;
}
HOTSPARE_GUILTY int recurses(int depth) {
  volatile char room[512];
  room[0] = static_cast<char>(depth);
  if (depth == zero - 1) return 0;
  return recurses(depth + 1) + room[0];
}
HOTSPARE_GUILTY void waits_for_a_signal(const std::string& beacon) {
  Beacon shared(beacon);
  shared.tell(static_cast<std::uint64_t>(::getpid()));
  for (;;) ::pause();
}
HOTSPARE_GUILTY void grows() {
  std::vector<std::unique_ptr<std::string>> all;
  for (;;) all.push_back(std::make_unique<std::string>(1 << 20, 'x'));
}
HOTSPARE_GUILTY void grows_like_c() {
  for (;;) {
    auto* block = static_cast<unsigned char*>(std::malloc(1 << 20));
    std::memset(block, 'x', 1 << 20);
    sink = block[0];
  }
}
HOTSPARE_GUILTY void crashes_in_a_handler(int) {
  writes_to(null_pointer);
  sink = 5;
}

namespace {

class P3Truth : public OneDeath {
 protected:
  Beacon beacon_;

  /// A task that surely runs is sent a signal by us.
  CrashReport death_by(int signal) {
    const auto future = pool_.submit(options_, waits_for_a_signal, beacon_.path());
    const auto pid = static_cast<pid_t>(beacon_.wait());
    EXPECT_EQ(::kill(pid, signal), 0);
    CrashReport report = report_of(future);
    EXPECT_EQ(report.pid, pid);
    return report;
  }
};

void expect_signal(const CrashReport& report, int signal) {
  EXPECT_EQ(report.cause, Cause::signal) << report.text();
  EXPECT_EQ(report.signal, signal);
}

TEST_F(P3Truth, KilledFromOutside) {
  const CrashReport report = death_by(SIGKILL);
  expect_signal(report, SIGKILL);
  EXPECT_EQ(report.sender_pid, 0);  // SIGKILL never tells
  EXPECT_FALSE(report.has_fault_address);
  EXPECT_TRUE(report.native_stack().empty());
}

TEST_F(P3Truth, KillsItself) {
  const CrashReport report = death_in([] { ::raise(SIGKILL); });
  expect_signal(report, SIGKILL);
  EXPECT_TRUE(report.native_stack().empty());
}

TEST_F(P3Truth, NullPointer) {
  const CrashReport report = death_in(writes_to_null);
  expect_signal(report, SIGSEGV);
  EXPECT_TRUE(report.has_fault_address);
  EXPECT_EQ(report.fault_address, 0u);
  EXPECT_EQ(report.sender_pid, 0);
  EXPECT_EQ(report.thread_id, report.pid);
  ASSERT_GE(report.native_stack().size(), 2u);
  EXPECT_THAT(report.native_stack()[0].function, ::testing::HasSubstr("writes_to("));
  EXPECT_THAT(report.native_stack()[1].function, ::testing::HasSubstr("writes_to_null"));
}

TEST_F(P3Truth, WildPointer) {
  const CrashReport report = death_in(writes_where_nothing_is, beacon_.path());
  expect_signal(report, SIGSEGV);
  EXPECT_TRUE(report.has_fault_address);
  EXPECT_EQ(report.fault_address, beacon_.wait());
  EXPECT_TRUE(stack_has(report, "writes_where_nothing_is"));
}

TEST_F(P3Truth, FileCutUnderItsMapping) {
  const CrashReport report = death_in(reads_beyond_the_file, beacon_.path());
  expect_signal(report, SIGBUS);
  EXPECT_TRUE(report.has_fault_address);
  EXPECT_EQ(report.fault_address, beacon_.wait());
  EXPECT_TRUE(stack_has(report, "reads_beyond_the_file"));
}

#if defined(__x86_64__)
HOTSPARE_GUILTY int divides(int by) {
  volatile int one = 1;
  return one / by;
}
HOTSPARE_GUILTY void runs_nonsense() {
  asm volatile("ud2");
  sink = 6;
}

TEST_F(P3Truth, DivisionByZero) {
  const CrashReport report = death_in([] { sink = divides(zero); });
  expect_signal(report, SIGFPE);
  ASSERT_TRUE(stack_has(report, "divides"));
  EXPECT_TRUE(report.has_fault_address);
  EXPECT_EQ(report.fault_address, report.native_stack()[0].address);
}

TEST_F(P3Truth, IllegalInstruction) {
  const CrashReport report = death_in(runs_nonsense);
  expect_signal(report, SIGILL);
  ASSERT_TRUE(stack_has(report, "runs_nonsense"));
  EXPECT_TRUE(report.has_fault_address);
  EXPECT_EQ(report.fault_address, report.native_stack()[0].address);
}

TEST_F(P3Truth, AnAddressThatTheProcessorRefusesIsNotCalledNull) {
  // Not canonical: the kernel is not told which address it was, and gives 0.
  const CrashReport report = death_in([] { writes_to(reinterpret_cast<int*>(0xdead'beef'dead'beef)); });
  expect_signal(report, SIGSEGV);
  EXPECT_FALSE(report.has_fault_address);
  EXPECT_TRUE(stack_has(report, "writes_to"));
}
#endif

TEST_F(P3Truth, Abort) {
  const CrashReport report = death_in(calls_abort);
  expect_signal(report, SIGABRT);
  EXPECT_EQ(report.sender_pid, report.pid);
  EXPECT_FALSE(report.has_fault_address);
  EXPECT_TRUE(stack_has(report, "calls_abort"));
  EXPECT_THAT(report.summary(), ::testing::Not(::testing::HasSubstr("was killed by")));
}

TEST_F(P3Truth, HeapCorruption) {
  if (sanitized()) GTEST_SKIP() << "the sanitizer's allocator ends the process with a report of its own";
  const CrashReport report = death_in(frees_twice);
  expect_signal(report, SIGABRT);
  EXPECT_TRUE(stack_has(report, "frees_twice"));
  EXPECT_TRUE(tail_has(report, "double free")) << report.text();
}

TEST_F(P3Truth, Terminate) {
  const CrashReport report = death_in(promises_not_to_throw);
  EXPECT_EQ(report.cause, Cause::terminated);
  EXPECT_EQ(report.signal, SIGABRT);
  EXPECT_EQ(report.detail, "std::runtime_error: no such star");
  EXPECT_TRUE(stack_has(report, "promises_not_to_throw")) << report.text();
}

TEST_F(P3Truth, TerminateWithoutAnException) {
  const CrashReport report = death_in([] { std::terminate(); });
  EXPECT_EQ(report.cause, Cause::terminated);
  EXPECT_EQ(report.detail, "std::terminate was called without an exception");
}

TEST_F(P3Truth, AnExceptionLeavesAThread) {
  const CrashReport report = death_in([] { std::thread([] { throw std::out_of_range("too far"); }).join(); });
  EXPECT_EQ(report.cause, Cause::terminated);
  EXPECT_EQ(report.detail, "std::out_of_range: too far");
  EXPECT_NE(report.thread_id, report.pid);
}

TEST_F(P3Truth, StackOverflow) {
  const CrashReport report = death_in([] { sink = recurses(1); });
  EXPECT_EQ(report.cause, Cause::stack_overflow) << report.text();
  EXPECT_EQ(report.signal, SIGSEGV);
  EXPECT_TRUE(report.has_fault_address);
  EXPECT_TRUE(stack_has(report, "recurses"));
}

TEST_F(P3Truth, StackOverflowInAnotherThread) {
  // Without an alternate stack of its own the kernel can call no handler: SIGSEGV is all that is known.
  const CrashReport report = death_in([] { std::thread([] { sink = recurses(1); }).join(); });
  EXPECT_EQ(report.signal, SIGSEGV);
  EXPECT_TRUE(report.cause == Cause::signal || report.cause == Cause::stack_overflow) << report.text();
}

TEST_F(P3Truth, TheMainThreadLeavesByPthreadExit) {
  const CrashReport report = death_in([] { ::pthread_exit(nullptr); });
  EXPECT_EQ(report.cause, Cause::pthread_exit) << report.text();
}

TEST_F(P3Truth, SignalsFromOutside) {
  const CrashReport report = death_by(SIGTERM);
  expect_signal(report, SIGTERM);
  EXPECT_EQ(report.sender_pid, ::getpid());
  EXPECT_FALSE(report.has_fault_address);
  EXPECT_TRUE(stack_has(report, "waits_for_a_signal"));
  EXPECT_THAT(report.summary(), ::testing::HasSubstr("that process " + std::to_string(::getpid()) + " sent"));
}

TEST_F(P3Truth, CpuTimeSignalFromOutside) {
  const CrashReport report = death_by(SIGXCPU);
  expect_signal(report, SIGXCPU);
  EXPECT_EQ(report.sender_pid, ::getpid());
  EXPECT_TRUE(stack_has(report, "waits_for_a_signal"));
}

TEST_F(P3Truth, SegmentationFaultSentFromOutside) {
  const CrashReport report = death_by(SIGSEGV);
  expect_signal(report, SIGSEGV);
  EXPECT_EQ(report.sender_pid, ::getpid());
  EXPECT_FALSE(report.has_fault_address);  // nothing faulted
}

TEST_F(P3Truth, ATimerIsNobody) {
  const CrashReport report = death_in([] {
    timer_t timers[3];
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    for (timer_t& timer : timers) ::timer_create(CLOCK_MONOTONIC, &event, &timer);
    const itimerspec soon{{0, 0}, {0, 1'000'000}};
    ::timer_settime(timers[2], 0, &soon, nullptr);
    for (;;) ::pause();
  });
  expect_signal(report, SIGUSR1);
  EXPECT_EQ(report.sender_pid, 0);  // not the timer's number
}

TEST_F(P3Truth, CpuTimeLimitOfTheKernel) {
  if (hotspare::testing::under_tsan())
    GTEST_SKIP() << "ThreadSanitizer delays the signal until a system call that never comes";
  const CrashReport report = death_in([] {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    rlimit limit{};
    ::getrlimit(RLIMIT_CPU, &limit);
    limit.rlim_cur = static_cast<rlim_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1;
    ::setrlimit(RLIMIT_CPU, &limit);
    for (;;) sink = 1;
  });
  expect_signal(report, SIGXCPU);
  EXPECT_EQ(report.sender_pid, 0);
  EXPECT_GE(report.cpu_time.count(), 500'000);
}

TEST_F(P3Truth, StoppedFromOutside) {
  options_.timeout = std::chrono::milliseconds(300);
  const CrashReport report = death_by(SIGSTOP);
  EXPECT_EQ(report.cause, Cause::deadline);
  EXPECT_EQ(report.signal, SIGKILL);
  EXPECT_EQ(report.thread_id, report.pid);
  EXPECT_TRUE(stack_has(report, "waits_for_a_signal")) << report.text();
}

struct Exit {
  int code;
  void (*leave)();
};
class P3Exit : public OneDeath, public ::testing::WithParamInterface<Exit> {};

TEST_P(P3Exit, SaysTheCode) {
  const CrashReport report = death_in(GetParam().leave);
  EXPECT_EQ(report.cause, Cause::exited) << report.text();
  EXPECT_EQ(report.exit_code, GetParam().code);
  EXPECT_EQ(report.signal, 0);
  EXPECT_TRUE(report.native_stack().empty());
  EXPECT_THAT(report.summary(), ::testing::HasSubstr("exited with code " + std::to_string(GetParam().code)));
}

void exit_0() { std::exit(0); }
void exit_3() { std::exit(3); }
void quick_exit_4() { std::quick_exit(4); }
void exit_5_at_once() { ::_exit(5); }
INSTANTIATE_TEST_SUITE_P(Ways, P3Exit,
                         ::testing::Values(Exit{0, exit_0}, Exit{3, exit_3}, Exit{4, quick_exit_4},
                                           Exit{5, exit_5_at_once}),
                         [](const auto& exit) { return "Code" + std::to_string(exit.param.code); });

TEST_F(P3Truth, MemoryLimitInNew) {
  if (sanitized()) GTEST_SKIP() << "the sanitizer's allocator ends the process itself";
  options_.memory_limit = 64 << 20;
  const CrashReport report = death_in(grows);
  EXPECT_EQ(report.cause, Cause::memory_limit) << report.text();
  EXPECT_EQ(report.exit_code, -1);
  EXPECT_GT(report.peak_rss_bytes, 32u << 20);
  EXPECT_TRUE(stack_has(report, "grows"));
}

TEST_F(P3Truth, MemoryLimitInMallocThatNobodyChecks) {
  if (sanitized()) GTEST_SKIP() << "the sanitizer's allocator ends the process itself";
  options_.memory_limit = 64 << 20;
  const CrashReport report = death_in(grows_like_c);
  EXPECT_EQ(report.cause, Cause::memory_limit) << report.text();
  EXPECT_EQ(report.signal, SIGSEGV);
  EXPECT_TRUE(stack_has(report, "grows_like_c"));
}

TEST_F(P3Truth, ACrashFarFromTheMemoryLimitIsACrash) {
  options_.memory_limit = std::size_t{4} << 30;
  expect_signal(death_in(writes_to_null), SIGSEGV);
}

TEST(P3TruthOneWorker, WhatTheWorkerHeldBeforeTheTaskIsNotTheTasks) {
  if (sanitized()) GTEST_SKIP() << "the sanitizer maps terabytes, so that no limit can be set";
  PoolOptions one = small_pool();
  one.workers = 1;
  one.spares = 0;
  Pool pool(one);
  const pid_t pid = pool.submit([] {
                          static std::string held;
                          held.assign(200 << 20, 'x');
                          return ::getpid();
                        })
                        .get();
  TaskOptions limited;
  limited.memory_limit = 64 << 20;
  const CrashReport report = death_of(pool.submit(limited, writes_to_null));
  ASSERT_EQ(report.pid, pid);
  expect_signal(report, SIGSEGV);
}

TEST_F(P3Truth, ASecondThreadFaults) {
  const CrashReport report = death_in([] {
    std::thread other([] { writes_to_null(); });
    for (;;) ::pause();
  });
  expect_signal(report, SIGSEGV);
  EXPECT_TRUE(report.has_fault_address);
  EXPECT_EQ(report.fault_address, 0u);
  EXPECT_GT(report.thread_id, 0);
  EXPECT_NE(report.thread_id, report.pid);
  EXPECT_TRUE(stack_has(report, "writes_to_null"));
}

TEST_F(P3Truth, AllThreadsFaultAtOnce) {
  const CrashReport report = death_in([] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) threads.emplace_back([] { writes_to_null(); });
    for (auto& thread : threads) thread.join();
  });
  expect_signal(report, SIGSEGV);
  EXPECT_TRUE(stack_has(report, "writes_to_null"));
}

TEST_F(P3Truth, CrashInASignalHandler) {
  if (hotspare::testing::under_tsan()) GTEST_SKIP() << "ThreadSanitizer runs the handler later, on another stack";
  const CrashReport report = death_in([] {
    std::signal(SIGUSR1, crashes_in_a_handler);
    ::raise(SIGUSR1);
  });
  expect_signal(report, SIGSEGV);
  EXPECT_TRUE(stack_has(report, "crashes_in_a_handler"));
}

TEST_F(P3Truth, CrashInItsOwnCrashHandler) {
  const CrashReport report = death_in([] {
    std::signal(SIGSEGV, crashes_in_a_handler);
    writes_to_null();
  });
  expect_signal(report, SIGSEGV);
}

TEST_F(P3Truth, DefaultActionPutBackByTheTask) {
  const CrashReport report = death_in([] {
    for (const int signal : {SIGSEGV, SIGABRT, SIGTERM, SIGUSR1}) std::signal(signal, SIG_DFL);
    writes_to_null();
  });
  expect_signal(report, SIGSEGV);
  EXPECT_TRUE(report.native_stack().empty());  // nobody was there to take it
}

TEST_F(P3Truth, HandlerOfTheTasksOwnThatAborts) {
  const CrashReport report = death_in([] {
    std::signal(SIGSEGV, [](int) { calls_abort(); });
    writes_to_null();
  });
  expect_signal(report, SIGABRT);
  EXPECT_TRUE(stack_has(report, "calls_abort"));
}

void block_all_signals() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

TEST_F(P3Truth, AllSignalsBlockedAndAFault) {
  const CrashReport report = death_in([] {
    block_all_signals();
    writes_to_null();
  });
  expect_signal(report, SIGSEGV);  // by the kernel, past every handler
}

TEST_F(P3Truth, AllSignalsBlockedAndAbort) {
  const CrashReport report = death_in([] {
    block_all_signals();
    calls_abort();
  });
  expect_signal(report, SIGABRT);
  EXPECT_TRUE(stack_has(report, "calls_abort"));
}

void close_all() { ::syscall(SYS_close_range, 0u, ~0u, 0u); }

TEST_F(P3Truth, ClosesAllDescriptorsAndGoesOn) {
  const CrashReport report = death_in([] {
    close_all();
    for (;;) ::pause();
  });
  EXPECT_EQ(report.cause, Cause::lifeline_closed) << report.text();
  EXPECT_EQ(report.signal, SIGKILL);
  EXPECT_TRUE(report.stderr_tail.empty());
}

TEST_F(P3Truth, ClosesAllDescriptorsAndReturns) {
  // Its value may be quicker than our notice: either is true, but the worker is gone in both cases.
  const auto outcome = pool_
                           .submit([] {
                             close_all();
                             return 7;
                           })
                           .outcome();
  if (outcome.ok()) {
    EXPECT_EQ(outcome.value(), 7);
  } else {
    ASSERT_NE(outcome.report(), nullptr);
    EXPECT_EQ(outcome.report()->cause, Cause::lifeline_closed);
  }
  // Whichever task that worker runs when it is ended may die with it.
  while (pool_.stats().deaths == 0) pool_.submit([] {}).wait();
  EXPECT_EQ(pool_.stats().deaths, 1u);
}

TEST_F(P3Truth, TheLastOf100kBOfStderr) {
  const CrashReport report = death_in([] {
    for (int i = 0; i < 2000; ++i) std::fprintf(stderr, "line %d of the noise that comes before the silence\n", i);
    std::fprintf(stderr, "unfinished");
    ::raise(SIGKILL);
  });
  ASSERT_EQ(report.stderr_tail.size(), 20u);
  EXPECT_EQ(report.stderr_tail.front(), "line 1981 of the noise that comes before the silence");
  EXPECT_EQ(report.stderr_tail[18], "line 1999 of the noise that comes before the silence");
  EXPECT_EQ(report.stderr_tail.back(), "unfinished");
}

}  // namespace
}  // namespace hotspare::testing
