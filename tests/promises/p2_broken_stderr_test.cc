#include "support/test_pool.hpp"

#include <hotspare/health.hpp>

#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <unistd.h>

/// P2: what a worker or a callback has to say never ends the host, though nobody reads that any more.
namespace hotspare::testing {
namespace {

/// For its lifetime stderr is a pipe that has lost its reader, and SIGPIPE ends the program, as it does in one that never
/// heard of it.
class BrokenStderr {
 public:
  BrokenStderr() : usual_(::dup(STDERR_FILENO)), before_(std::signal(SIGPIPE, SIG_DFL)) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe(ends), 0);
    ::close(ends[0]);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
  }
  ~BrokenStderr() {
    ::dup2(usual_, STDERR_FILENO);
    ::close(usual_);
    std::signal(SIGPIPE, before_);
  }
  BrokenStderr(const BrokenStderr&) = delete;
  BrokenStderr& operator=(const BrokenStderr&) = delete;

 private:
  int usual_;
  void (*before_)(int);
};

TEST(P2BrokenStderr, WhatWorkersWriteIsStillInTheReport) {
  PoolOptions options = small_pool();
  options.worker_stderr = Stderr::tee;
  const BrokenStderr here;
  Pool pool(options);
  for (int i = 0; i < 20; ++i) pool.submit([] { std::fputs("nobody reads this\n", stderr); }).get();
  const CrashReport report = death_of(pool.submit([] {
    std::fputs("but this is wanted\n", stderr);
    std::abort();
  }));
  ASSERT_FALSE(report.stderr_tail.empty());
  EXPECT_EQ(report.stderr_tail.back(), "but this is wanted");
}

TEST(P2BrokenStderr, CallbacksMayThrow) {
  const BrokenStderr here;
  Pool pool(small_pool());
  const Subscription careless = subscribe([](const Event&) { throw std::runtime_error("careless"); });
  for (int i = 0; i < 3; ++i) {
    const auto future = pool.submit([] { std::abort(); });
    future.on_done([](const Future<void>&) { throw std::runtime_error(std::string(5000, 'x')); });
    EXPECT_EQ(future.outcome().kind(), Outcome<void>::Kind::died);
  }
  EXPECT_EQ(pool.submit([] { return 1; }).get(), 1);
}

}  // namespace
}  // namespace hotspare::testing
