#include "support/witness.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

/// P11. subscribe() tells what happens in all pools, with their names, and harms none of them.
namespace hotspare::testing {
namespace {

int die() {
  ::raise(SIGKILL);
  return 0;
}

TEST(P11Events, EachSubscriberHearsAllInOrderAfterItsPoolsOwn) {
  std::mutex mutex;
  std::vector<std::string> told;
  const auto note = [&](const std::string& who) {
    return [&, who](const Event& event) {
      if (event.kind != Event::Kind::death) return;
      const std::lock_guard lock(mutex);
      told.push_back(who + event.source_name);
    };
  };
  const Subscription one = subscribe(note("one "));
  const Subscription two = subscribe(note("two "));
  for (const std::string name : {"alpha", "beta"}) {
    PoolOptions options = pool_named(name);
    options.on_event = note("own ");
    Pool pool(options);
    pool.submit(die).outcome();
  }
  EXPECT_EQ(told,
            (std::vector<std::string>{"own alpha", "one alpha", "two alpha", "own beta", "one beta", "two beta"}));
}

TEST(P11Events, WhatASubscriberThrowsHarmsNobody) {
  Witness deaths;
  std::atomic<int> thrown{0};
  const Subscription careless = subscribe([&](const Event&) {
    ++thrown;
    throw std::runtime_error("careless");
  });
  const Subscription worse = subscribe([&](const Event&) { throw 7; });
  Pool pool(pool_named("alpha"));
  pool.submit(die).outcome();
  deaths.await(1);
  EXPECT_EQ(pool.submit([](int x) { return 2 * x; }, 21).get(), 42);
  EXPECT_GT(thrown, 0);
}

TEST(P11Events, NobodyIsCalledAfterTheEnd) {
  std::atomic<bool> ended{false};
  std::atomic<int> calls{0};
  Witness deaths;
  std::uint64_t dead = 0;
  Pool pool(pool_named("alpha"));
  for (int round = 0; round < 10; ++round) {
    ended = false;
    Subscription passing = subscribe([&](const Event&) {
      ++calls;
      EXPECT_FALSE(ended);
    });
    pool.submit(die).outcome();
    passing.end();
    ended = true;
    deaths.await(++dead);
  }
}

TEST(P11Events, ACallbackMayEndItself) {
  std::atomic<int> calls{0};
  auto alive = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = alive;
  Witness deaths;
  auto own = std::make_shared<Subscription>();
  *own = subscribe([&calls, own, alive](const Event&) {
    ++calls;
    own->end();
  });
  own.reset();
  alive.reset();
  Pool pool(pool_named("alpha"));
  pool.submit(die).outcome();
  pool.submit(die).outcome();
  deaths.await(2);
  pool.shutdown();
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(watch.expired());
}

TEST(P11Events, WithoutAFunctionThereIsNoSubscription) { EXPECT_THROW(subscribe({}), Error); }

}  // namespace
}  // namespace hotspare::testing
