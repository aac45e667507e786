#include "support/no_processes.hpp"
#include "support/test_pool.hpp"
#include "support/under_tsan.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <pthread.h>
#include <string>
#include <unistd.h>
#include <vector>

/// P1, P11. A zygote's death costs nobody else's life, and is counted once.
namespace hotspare::testing {
namespace {

pid_t first_zygote = 0;

/// In what the first zygote has forked, before anything of ours runs there: a busy machine may keep it from running until its
/// parent is dead, and until whoever adopts it has ended what the dead one left.
void be_kept_from_running() {
  if (::getppid() != first_zygote) return;
  ::alarm(10);
  // Nothing tells a stranger that a process was reaped.
  while (::kill(first_zygote, 0) == 0) ::usleep(1000);  // style: looked at again and again
  ::alarm(0);
}

void keep_what_it_forks_from_running() {
  first_zygote = ::getpid();
  ::pthread_atfork(nullptr, nullptr, be_kept_from_running);
}

TEST(P1Zygotes, WhatOneHasForkedOutlivesItHoweverSoonItDies) {
  if (under_tsan()) GTEST_SKIP() << "it holds locks of its own while a fork's handlers run";
  PoolOptions options = small_pool();
  options.workers = 1;
  options.spares = 0;
  options.preload = keep_what_it_forks_from_running;
  Pool pool(options);
  pool.started_pids(1);
  // It was asked for its standby before it is asked for this one, and answers in that order.
  pool.resize(2);
  const std::vector<std::int64_t> forked = pool.started_pids(2);
  ::kill(static_cast<pid_t>(pool.zygote_pid()), SIGKILL);
  EXPECT_EQ(pool.submit([] { return 5; }).get(), 5);
  while (pool.worker_pids().size() < 2) pool.submit([] {}).get();
  EXPECT_EQ(pool.started_pids(2), forked);
  const Stats stats = pool.stats();
  EXPECT_EQ(stats.deaths, 0u);
  EXPECT_EQ(stats.zygote_deaths, 1u);
}

TEST(P1Zygotes, EachDeathIsCountedOnce) {
  Pool pool(small_pool());
  for (std::uint64_t round = 1; round <= 5; ++round) {
    const auto zygote = static_cast<pid_t>(pool.zygote_pid());
    ::kill(zygote, SIGKILL);
    while (pool.stats().zygote_deaths < round || pool.zygote_pid() == zygote) pool.submit([] {}).get();
    EXPECT_THROW(pool.submit([] { ::raise(SIGKILL); }).get(), WorkerDied);
    EXPECT_EQ(pool.stats().zygote_deaths, round);
  }
  EXPECT_EQ(pool.stats().deaths, 5u);
}

pid_t host = 0;

void die_in_zygotes() {
  if (::getppid() != host) ::raise(SIGKILL);
}

TEST(P1Zygotes, WhereEachDiesAtOnceThePoolSaysSo) {
  PoolOptions options = small_pool();
  if (start_method() == Start::exec) GTEST_SKIP() << "a program that is started afresh has no such handler";
  EXPECT_EQ(in_child([&options] {
              host = ::getpid();
              ::pthread_atfork(nullptr, nullptr, die_in_zygotes);
              try {
                Pool pool(options);
                EXPECT_THROW(pool.submit([] {}).get(), PoolBroken);
              } catch (const Error& error) {  // it was dead before the constructor was through
                EXPECT_NE(std::string(error.what()).find("died as it began"), std::string::npos) << error.what();
              }
            }),
            0);
}

}  // namespace
}  // namespace hotspare::testing
