#pragma once

#include "support/test_pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <unistd.h>

/// A function that must stay a frame of its own, and may do what sanitizers object to.
#define HOTSPARE_GUILTY __attribute__((noinline, no_sanitize("undefined", "address")))

namespace hotspare::testing {

/// Whether the stack has a frame of a function with this in its name.
inline bool stack_has(const CrashReport& report, const std::string& function) {
  const auto& frames = report.native_stack();
  return std::any_of(frames.begin(), frames.end(),
                     [&](const Frame& frame) { return frame.function.find(function) != std::string::npos; });
}

inline bool tail_has(const CrashReport& report, const std::string& text) {
  return std::any_of(report.stderr_tail.begin(), report.stderr_tail.end(),
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

/// A pool in which one task dies. What must hold whatever killed it is checked in one place.
class OneDeath : public ::testing::Test {
 protected:
  /// Runs a task that must die; its report.
  template <class F, class... A>
  CrashReport death_in(F f, const A&... arguments) {
    return report_of(pool_.submit(options_, f, arguments...));
  }

  template <class R>
  CrashReport report_of(const Future<R>& future) {
    const auto outcome = future.outcome();
    EXPECT_EQ(outcome.kind(), Outcome<R>::Kind::died);
    if (outcome.report() == nullptr) return {};
    const CrashReport& report = *outcome.report();
    EXPECT_EQ(report.task_id, future.task_id());
    EXPECT_EQ(report.task_name, options_.name);
    EXPECT_EQ(report.attempt, 1);
    EXPECT_GT(report.pid, 0);
    EXPECT_NE(report.pid, ::getpid());
    EXPECT_THAT(pool_.worker_pids(), ::testing::Not(::testing::Contains(report.pid)));
    EXPECT_FALSE(report.evidence.empty());
    EXPECT_EQ(report.oom, Oom::no);
    EXPECT_GT(report.peak_rss_bytes, 0u);
    if (report.cause != Cause::exited && report.cause != Cause::exec) {
      EXPECT_EQ(report.exit_code, -1);
    }
    expect_what(future, report);
    expect_only_it_died();
    return report;
  }

  Pool pool_{small_pool()};
  TaskOptions options_ = named("the guilty one");

 private:
  static TaskOptions named(std::string name) {
    TaskOptions options;
    options.name = std::move(name);
    return options;
  }

  template <class R>
  static void expect_what(const Future<R>& future, const CrashReport& report) {
    try {
      future.get();
      ADD_FAILURE() << "get() gave a value";
    } catch (const WorkerDied& death) {
      EXPECT_EQ(death.what(), report.summary());
      EXPECT_THAT(death.what(), ::testing::HasSubstr("worker " + std::to_string(report.pid)));
      EXPECT_THAT(death.what(), ::testing::HasSubstr("\"the guilty one\""));
    }
  }

  void expect_only_it_died() {
    const Stats before = pool_.stats();
    EXPECT_EQ(pool_.submit([](int x) { return 2 * x; }, 21).get(), 42);
    const Stats stats = pool_.stats();
    EXPECT_EQ(stats.died, 1u);
    EXPECT_EQ(stats.deaths, 1u);
    EXPECT_EQ(stats.deaths_idle, 0u);
    EXPECT_EQ(stats.values, before.values + 1);
    EXPECT_EQ(stats.raised, 0u);
    EXPECT_EQ(stats.submitted, stats.values + stats.died);
  }
};

}  // namespace hotspare::testing
