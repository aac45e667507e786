#include "support/standby.hpp"
#include "support/test_pool.hpp"

#include <hotspare/error.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

/// What callbacks may do: throw, and destroy what calls them.
namespace hotspare::testing {
namespace {

/// Who is destroyed on a thread of its own ends in the background; a fork of this process has to wait for that.
void wait_until_alone() {
  const auto threads = [] {
    const std::filesystem::directory_iterator all("/proc/self/task");
    return std::distance(begin(all), end(all));
  };
  const int alone = under_tsan() ? 2 : 1;  // it has one of its own
  while (threads() > alone) std::this_thread::yield();
}

TEST(ApiCallbacks, AnEventHandlerThatThrowsEndsNothing) {
  std::atomic<int> calls{0};
  PoolOptions options = small_pool();
  options.on_event = [&](const Event&) {
    if (++calls % 2 == 0) throw std::runtime_error("not my day");
    throw 5;
  };
  {
    Pool pool(options);
    EXPECT_THROW(pool.submit([] { ::raise(SIGKILL); }).get(), WorkerDied);
    EXPECT_EQ(pool.submit([] { return 2; }).get(), 2);
  }
  EXPECT_GT(calls.load(), 1);
}

TEST(ApiCallbacks, AChannelsEventHandlerThatThrowsEndsNothing) {
  std::atomic<int> calls{0};
  const Beacon beacon;
  StandbyOptions options = small_channel(StandbyMode::stateless);
  options.on_event = [&](const Event&) {
    ++calls;
    throw std::runtime_error("not my day");
  };
  {
    StandbyChannel<Twice> channel(options, beacon.path());
    channel.strike(chaos::How::sigkill);
    EXPECT_TRUE(channel.wait_in_step(1));
  }
  EXPECT_GT(calls.load(), 0);
}

TEST(ApiCallbacks, ADoneCallbackThatThrowsEndsOnlyItself) {
  std::promise<void> second;
  Pool pool(small_pool());
  Beacon beacon;
  const auto future = pool.submit([](const std::string& path) { return Beacon(path).wait(); }, beacon.path());
  future.on_done([](const auto&) { throw std::runtime_error("not my day"); });
  beacon.tell(1);
  pool.submit([] { return 2; }).on_done([&](const Future<int>&) { second.set_value(); });
  second.get_future().wait();
  EXPECT_EQ(future.get(), 1);
}

TEST(ApiCallbacks, APoolThatIsDestroyedInItsEventHandlerSettlesItsTasks) {
  auto pool = std::make_shared<std::unique_ptr<Pool>>();
  std::promise<void> destroyed;
  std::promise<void> made;
  auto is_made = made.get_future().share();
  PoolOptions options = small_pool();
  options.on_event = [pool, is_made, &destroyed](const Event& event) {
    if (event.kind != Event::Kind::death) return;
    is_made.wait();
    pool->reset();
    destroyed.set_value();
  };
  *pool = std::make_unique<Pool>(options);
  std::vector<Future<int>> others;
  const auto dies = (*pool)->submit([] { ::raise(SIGKILL); });
  for (int i = 0; i < 50; ++i) others.push_back((*pool)->submit([](int x) { return x; }, i));
  made.set_value();
  destroyed.get_future().wait();
  EXPECT_THROW(dies.get(), WorkerDied);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(others[static_cast<std::size_t>(i)].get(), i);
  wait_until_alone();
}

TEST(ApiCallbacks, APoolThatIsDestroyedInADoneCallback) {
  for (int round = 0; round < 10; ++round) {
    auto pool = std::make_unique<Pool>(small_pool());
    std::promise<void> destroyed;
    Beacon beacon;
    const auto future = pool->submit([](const std::string& path) { return Beacon(path).wait(); }, beacon.path());
    const auto other = pool->submit([] { return 2; });
    std::promise<void> submitted;
    auto is_submitted = submitted.get_future().share();
    future.on_done([&pool, &destroyed, is_submitted](const auto&) {
      is_submitted.wait();
      pool.reset();
      destroyed.set_value();
    });
    beacon.tell(1);
    submitted.set_value();
    destroyed.get_future().wait();
    EXPECT_EQ(other.get(), 2);
    wait_until_alone();
  }
}

TEST(ApiCallbacks, APoolThatIsShutDownIsDestroyedInItsEventHandler) {
  for (int round = 0; round < 10; ++round) {
    std::unique_ptr<Pool> pool;
    std::promise<void> closing;
    auto is_closing = closing.get_future().share();
    std::promise<void> destroyed;
    PoolOptions options = small_pool();
    options.on_event = [&pool, &destroyed, is_closing](const Event& event) {
      if (event.kind != Event::Kind::retired) return;
      is_closing.wait();
      pool.reset();
      destroyed.set_value();
    };
    pool = std::make_unique<Pool>(options);
    EXPECT_EQ(pool->submit([] { return 1; }).get(), 1);
    pool->shutdown(false);
    closing.set_value();
    destroyed.get_future().wait();
    wait_until_alone();
  }
}

TEST(ApiCallbacks, AChannelThatIsDestroyedInItsEventHandler) {
  using Channel = StandbyChannel<Twice>;
  const Beacon beacon;
  for (int round = 0; round < 5; ++round) {
    auto channel = std::make_shared<std::unique_ptr<Channel>>();
    std::promise<void> made;
    auto is_made = made.get_future().share();
    std::promise<void> destroyed;
    StandbyOptions options = small_channel(StandbyMode::stateless);
    options.on_event = [channel, is_made, &destroyed](const Event& event) {
      if (event.kind != Event::Kind::death) return;
      is_made.wait();
      channel->reset();
      destroyed.set_value();
    };
    *channel = std::make_unique<Channel>(options, beacon.path());
    (*channel)->strike(chaos::How::sigkill);
    made.set_value();
    destroyed.get_future().wait();
    wait_until_alone();
  }
}

}  // namespace
}  // namespace hotspare::testing
