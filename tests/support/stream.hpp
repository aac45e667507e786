#pragma once

#include "support/signals.hpp"
#include "support/standby.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <sys/syscall.h>
#include <type_traits>
#include <unistd.h>
#include <vector>

/// A channel of a processor whose answers show its state, and what they should be.
namespace hotspare::testing {

/// A channel of P, the stream that runs through it, and what was right.
template <class P>
class Stream {
 public:
  explicit Stream(StandbyOptions options)
      : mode_(options.mode), channel_(watched(std::move(options)), beacon_.path()) {}

  /// One block with the given value; the answer. Fails the test when there is none.
  std::uint64_t send(std::uint64_t value) {
    std::array<std::byte, 8> in{};
    std::array<std::byte, 8> out{};
    Word{value}.to(in);
    expected_.take(value);
    EXPECT_EQ(channel_.process(in, out, std::chrono::steady_clock::now() + std::chrono::seconds(60)),
              BlockOutcome::answered)
        << "block " << blocks_;
    ++blocks_;
    return Word::from(out).value;
  }
  void send_and_check(int blocks) {
    for (int i = 0; i < blocks; ++i) {
      const std::uint64_t answer = send(static_cast<std::uint64_t>(blocks_) * 7919 + 1);
      ASSERT_EQ(answer, right()) << "block " << blocks_;
    }
  }
  std::uint64_t right() const {
    if constexpr (std::is_base_of_v<PlainChain, P>) return expected_.chain;
    if constexpr (std::is_same_v<P, Window>) return expected_.window;
    return expected_.twice;
  }
  /// The next block that this replica processes is its last.
  void doom(std::int64_t pid, chaos::How how) {
    beacon_.tell(static_cast<std::uint64_t>(how), way_word);
    beacon_.tell(static_cast<std::uint64_t>(pid), victim_word);
  }
  /// Until one is struck. In lockstep it is this one, however late it comes to its next block; where one works it is not known
  /// which, and who works is never behind.
  void strike_one(const std::vector<std::int64_t>& pids, std::size_t first, chaos::How how) {
    const std::uint64_t before = struck();
    for (std::size_t i = first; struck() == before; ++i) {
      if (i == first || mode_ != StandbyMode::lockstep) doom(pids[i % pids.size()], how);
      send_and_check(30);
    }
  }
  std::uint64_t struck() const { return beacon_.told(struck_word); }
  StandbyChannel<P>& channel() { return channel_; }
  Beacon& beacon() { return beacon_; }
  /// When so many have been told.
  std::vector<CrashReport> reports(std::size_t count) {
    told_.take(static_cast<int>(count - taken_));
    taken_ = count;
    const std::lock_guard lock(mutex_);
    return reports_;
  }
  /// Pids of those that became the spare, one after another; 0 is the first, when there was none.
  std::vector<std::int64_t> spares() {
    const std::lock_guard lock(mutex_);
    return spares_;
  }
  /// For a test that fails: what was told so far.
  std::string story() {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const CrashReport& report : reports_) {
      text += report.summary() + '\n';
      for (const std::string& line : report.stderr_tail) text += "    " + line + '\n';
    }
    return text;
  }
  /// Until so many deaths were counted, and all replicas are there again.
  void recover(std::uint64_t deaths) {
    while (channel_.stats().deaths < deaths) send_and_check(1);
    ASSERT_TRUE(channel_.wait_in_step(2)) << channel_.broken();
  }

 private:
  StandbyOptions watched(StandbyOptions options) {
    options.on_event = [this](const Event& event) {
      if (event.kind == Event::Kind::worker_ready && event.detail == "spare") {
        const std::lock_guard lock(mutex_);
        spares_.push_back(event.pid);
      }
      if (event.kind != Event::Kind::death) return;
      const std::lock_guard lock(mutex_);
      reports_.push_back(*event.report);
      told_.give();
    };
    return options;
  }
  const StandbyMode mode_;
  Beacon beacon_;
  std::mutex mutex_;
  std::vector<CrashReport> reports_;
  std::vector<std::int64_t> spares_{0};
  Signals told_;
  std::size_t taken_ = 0;
  Expected expected_;
  int blocks_ = 0;
  StandbyChannel<P> channel_;  // last: its events end before what they use
};

inline void kill_by_pidfd(std::int64_t pid, int signal) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) return;
  ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0);
  ::close(pidfd);
}

}  // namespace hotspare::testing
