#include "support/refuse_threads.hpp"
#include "support/standby.hpp"
#include "support/test_pool.hpp"
#include "support/under_tsan.hpp"

#include <hotspare/batch.hpp>
#include <hotspare/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <memory>
#include <string>

/// P7, when a thread is refused: an Error, and nothing is left; or what was there goes on.
namespace hotspare::testing {
namespace {

using ::testing::HasSubstr;

class P7Threads : public ::testing::Test {
 protected:
  void SetUp() override {
    if (under_tsan()) GTEST_SKIP() << "ThreadSanitizer has a pthread_create of its own";
  }
};

constexpr int more_than_any_pool_has = 64;

/// Makes something with the n-th thread refused, for each n until none is. How often that was.
template <class Make>
int refusals(Make make) {
  for (int nth = 1; nth < more_than_any_pool_has; ++nth) {
    const RefuseThread refuse(nth);
    try {
      make();
      EXPECT_FALSE(refuse.refused()) << "thread " << nth << " was refused, and nobody said so";
      return nth - 1;
    } catch (const Error& error) {
      EXPECT_TRUE(refuse.refused());
      EXPECT_THAT(error.what(), HasSubstr("thread cannot be started"));
    }
  }
  return more_than_any_pool_has;
}

TEST_F(P7Threads, APoolIsWholeOrNotThere) {
  for (const bool in_host : {false, true}) {
    const int refused = refusals([in_host] {
      PoolOptions options = small_pool();
      options.run_in_host = in_host;
      Pool pool(options);
      EXPECT_EQ(pool.submit([](int x) { return x; }, 5).get(), 5);
    });
    EXPECT_GE(refused, 4);
  }
  Pool pool(small_pool());
  EXPECT_EQ(pool.submit([](int x) { return x; }, 6).get(), 6);
}

TEST_F(P7Threads, APoolOfManyWorkersIsWholeOrNotThere) {
  EXPECT_GE(refusals([] {
              PoolOptions options = small_pool();
              options.workers = 1;
              Pool pool(options);
              pool.resize(400);
              pool.resize(1);
            }),
            4);
}

TEST_F(P7Threads, AnyThreadThatAPoolNeedsIsThereFromTheStart) {
  PoolOptions options = small_pool();
  options.on_event = [](const Event&) {};
  Pool pool(options);
  const RefuseThread refuse(1, true);
  TaskOptions limited;
  limited.memory_limit = std::size_t{1} << 30;
  limited.timeout = std::chrono::milliseconds(50);
  EXPECT_EQ(pool.submit(limited, [] { return 1; }).get(), 1);
  EXPECT_THROW(pool.submit(limited,
                           [] {
                             for (;;) ::pause();
                           })
                   .get(),
               TaskTimeout);
  std::promise<int> done;
  pool.submit([] { return 3; }).on_done([&](const Future<int>& future) { done.set_value(future.get()); });
  EXPECT_EQ(done.get_future().get(), 3);
  EXPECT_FALSE(refuse.refused());
}

TEST_F(P7Threads, AResizeThatIsRefusedLeavesThePoolAsItWas) {
  PoolOptions options = small_pool();
  options.workers = 2;
  Pool pool(options);
  {
    const RefuseThread refuse(1);
    EXPECT_THROW(pool.resize(1000), Error);
    EXPECT_TRUE(refuse.refused());
  }
  EXPECT_EQ(pool.submit([](int x) { return x; }, 7).get(), 7);
  pool.resize(3);
  EXPECT_EQ(pool.submit([](int x) { return x; }, 8).get(), 8);
}

TEST_F(P7Threads, AChannelIsWholeOrNotThere) {
  const Beacon beacon;
  const int refused = refusals([&] {
    StandbyOptions options = small_channel(StandbyMode::stateless);
    options.on_event = [](const Event&) {};
    StandbyChannel<Twice> channel(options, beacon.path());
    channel.stats();
  });
  EXPECT_GE(refused, 4);
}

}  // namespace
}  // namespace hotspare::testing
