#pragma once

#include "os/fd.hpp"
#include "os/result.hpp"

#include <cstdint>
#include <vector>

namespace hotspare::os {

/// One readiness notice of the poller.
struct Ready {
  std::uint64_t tag = 0;
  bool readable = false;
  bool hung_up = false;
};

/// Owns an epoll instance. Level-triggered.
class Poller {
 public:
  static Result<Poller> make();
  Status watch(const Fd& fd, std::uint64_t tag);
  /// Only hang-up is told, not data.
  Status watch_hang_up(const Fd& fd, std::uint64_t tag);
  /// Of one that is watched: it is told, too, when there is room to write.
  Status watch_room(const Fd& fd, std::uint64_t tag, bool wanted);
  void forget(const Fd& fd) noexcept;
  /// Waits without a time limit. Fails when somebody has closed the poller itself. Here, and nowhere else, the thread can be
  /// cancelled (os/thread.hpp).
  Result<std::vector<Ready>> wait();
  const Fd& fd() const { return fd_; }

 private:
  explicit Poller(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

/// Owns an eventfd: wakes a poller.
class Notifier {
 public:
  static Result<Notifier> make();
  void notify() noexcept;
  void clear() noexcept;
  const Fd& fd() const { return fd_; }

 private:
  explicit Notifier(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

/// Owns a timerfd on CLOCK_MONOTONIC.
class Timer {
 public:
  static Result<Timer> make();
  /// Fires at this absolute time (ns); 0 disarms.
  void arm(std::int64_t at_ns) noexcept;
  void clear() noexcept;
  const Fd& fd() const { return fd_; }

 private:
  explicit Timer(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace hotspare::os
