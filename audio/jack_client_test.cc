#include "jack_client.hpp"

#include "direct_processor.hpp"
#include "test_support/installed.hpp"
#include "test_support/jack_server.hpp"

#include <hotspare/error.hpp>

#include <gtest/gtest.h>
#include <support/sanitizer.hpp>

#include <condition_variable>
#include <filesystem>
#include <iterator>
#include <mutex>
#include <thread>

namespace hotspare::audio {
namespace {

/// Lets the sound through and wakes who waits for so many blocks. No processor of a real channel would take a lock.
class Counting : public BlockProcessor {
 public:
  bool process(std::span<const std::byte> in, std::span<std::byte> out, Deadline deadline) override {
    std::copy_n(in.begin(), out.size(), out.begin());
    const std::lock_guard lock(mutex_);
    last_left_ = deadline - std::chrono::steady_clock::now();
    ++figures_.blocks;
    changed_.notify_all();
    return true;
  }
  ChannelFigures figures() const override {
    const std::lock_guard lock(mutex_);
    return figures_;
  }
  void wait_for(std::uint64_t blocks) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return figures_.blocks >= blocks; });
  }
  std::chrono::nanoseconds last_left() const {
    const std::lock_guard lock(mutex_);
    return last_left_;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  ChannelFigures figures_;
  std::chrono::nanoseconds last_left_{0};
};

class Jack : public ::testing::Test {
 protected:
  static constexpr unsigned rate = 48000;
  static constexpr unsigned period = 128;

  void SetUp() override {
    if (!server_.started()) GTEST_SKIP() << server_.why();
  }
  static ChainSpec spec(const JackClient& client, std::uint32_t channels = 2) {
    return {.sample_rate = client.geometry().sample_rate, .frames = client.geometry().period, .channels = channels};
  }
  testing::JackServer server_{rate, period};
};

TEST_F(Jack, SendsEachPeriodThroughTheProcessor) {
  const auto processor = std::make_shared<Counting>();
  JackClient client({.server = server_.name()});
  EXPECT_EQ(client.geometry().sample_rate, rate);
  EXPECT_EQ(client.geometry().period, period);
  client.start(processor, BlockLayout(spec(client)));
  client.connect_to_machine();
  processor->wait_for(200);
  EXPECT_GE(client.periods(), 199U);
  EXPECT_EQ(client.ended(), nullptr);
  EXPECT_LE(processor->last_left(), std::chrono::nanoseconds(std::chrono::seconds(1)) * period / rate);
}

TEST_F(Jack, RunsARealPlugin) {
  HOTSPARE_NEEDS_PLUGIN(testing::piano);
  JackClient client({.server = server_.name()});
  ChainSpec chain = spec(client);
  chain.plugins = {{.uri = testing::piano}};
  chain.midi_bytes = 4096;
  const auto processor = std::make_shared<DirectProcessor>(chain);
  const auto other = std::make_shared<Counting>();
  client.start(processor, BlockLayout(chain));
  JackClient clock({.name = "clock", .server = server_.name()});
  clock.start(other, BlockLayout(spec(clock, 1)));
  other->wait_for(200);
  EXPECT_GE(processor->figures().blocks, 100U);
  EXPECT_EQ(client.midi_dropped(), 0U);
}

TEST_F(Jack, ClientsOfTheSameNameGetAnother) {
  const JackClient one({.server = server_.name()});
  const JackClient two({.server = server_.name()});
  EXPECT_EQ(one.name(), "hotspare");
  EXPECT_NE(two.name(), one.name());
}

TEST_F(Jack, AnswersAQuestionAndLeavesNoThread) {
  const JackGeometry geometry = ask_jack({.server = server_.name()});
  EXPECT_EQ(geometry.sample_rate, rate);
  EXPECT_EQ(geometry.period, period);
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  EXPECT_EQ(std::distance(begin(tasks), end(tasks)), 1);
}

TEST_F(Jack, RefusesBlocksOfAnotherLength) {
  const auto processor = std::make_shared<Counting>();
  JackClient client({.server = server_.name()});
  EXPECT_THROW(client.start(processor, BlockLayout({.frames = 64})), Error);
}

TEST_F(Jack, TellsWhenTheServerHasEnded) {
  const auto processor = std::make_shared<Counting>();
  JackClient client({.server = server_.name()});
  client.start(processor, BlockLayout(spec(client)));
  processor->wait_for(10);
  server_.stop();
  while (client.ended() == nullptr) std::this_thread::yield();
  EXPECT_NE(std::string(client.ended()).find("has ended"), std::string::npos);
}

TEST(JackWithoutServer, SaysSo) {
  try {
    const JackClient client({.server = "hotspare_nobody"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("no JACK server \"hotspare_nobody\" runs"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace hotspare::audio
