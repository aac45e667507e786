#pragma once

#include "os/clock.hpp"

#include <hotspare/tag.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>

namespace hotspare::task {

/// Whether a task with some tag may begin now. Times in ns of CLOCK_MONOTONIC.
class Gate {
 public:
  explicit Gate(const TagLimits& limits) : limits_(limits) {}

  struct Answer {
    bool open = false;
    std::int64_t again_at = 0;  ///< If closed: when time alone may open it; 0: only the end of a task can.
  };
  Answer ask(std::int64_t now) const {
    if (limits_.at_once != 0 && running_ >= limits_.at_once) return {};
    if (state_ == State::probing) return {};
    if (state_ == State::paused && now < paused_until_) return {false, paused_until_};
    if (limits_.per_second != 0 && begins_.size() >= limits_.per_second) {
      const std::int64_t at = begins_.front() + second;
      if (at > now) return {false, at};
    }
    return {true, 0};
  }
  /// One is on its way to a worker.
  void enter(std::int64_t now) {
    if (limits_.per_second != 0) begins_.push_back(now);  // first, for it may throw
    ++running_;
    if (state_ == State::paused) state_ = State::probing;
    while (begins_.size() > limits_.per_second) begins_.pop_front();
  }
  /// It turned out to begin only at this time: the second counts from there. Order within the second does not matter.
  void began_at(std::int64_t entered, std::int64_t began) {
    const auto found = std::find(begins_.begin(), begins_.end(), entered);
    if (found == begins_.end() || began <= entered) return;
    begins_.erase(found);
    begins_.insert(std::upper_bound(begins_.begin(), begins_.end(), began), began);
  }

  enum class End : unsigned char { not_begun, succeeded, failed };
  void leave(End end, std::int64_t now) {
    --running_;
    if (end == End::not_begun) {
      if (state_ == State::probing) state_ = State::paused;  // another one will be the probe
      return;
    }
    failures_ = end == End::failed ? failures_ + 1 : 0;
    if (state_ == State::probing && end == End::succeeded) state_ = State::closed;
    if (limits_.breaker_failures == 0 || end == End::succeeded) return;
    if (state_ != State::probing && failures_ < limits_.breaker_failures) return;
    state_ = State::paused;
    paused_until_ = now + os::bounded_ns(limits_.breaker_pause);
  }
  unsigned running() const { return running_; }

 private:
  static constexpr std::int64_t second = 1'000'000'000;
  /// Of the breaker; closed is what an electrician means by it: all goes through.
  enum class State : unsigned char { closed, paused, probing };

  TagLimits limits_;
  unsigned running_ = 0;
  std::deque<std::int64_t> begins_;  ///< The latest ones, in order, no more than per_second.
  State state_ = State::closed;
  unsigned failures_ = 0;  ///< In a row.
  std::int64_t paused_until_ = 0;
};

}  // namespace hotspare::task
