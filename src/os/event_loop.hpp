#pragma once

#include "os/fd.hpp"
#include "os/result.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace hotspare::os {

/// One readiness notice of the poller.
struct Ready {
  std::uint64_t tag = 0;
  bool readable = false;
  bool hung_up = false;
};

/// What one wait brought. No allocation: a loop that has no memory goes on.
class Notices {
 public:
  static constexpr std::size_t most = 64;
  void add(const Ready& ready) noexcept { all_[count_++] = ready; }
  const Ready* begin() const noexcept { return all_.data(); }
  const Ready* end() const noexcept { return all_.data() + count_; }

 private:
  std::array<Ready, most> all_{};
  std::size_t count_ = 0;
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
  Result<Notices> wait();
  const Fd& fd() const { return fd_; }

 private:
  explicit Poller(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

/// Owns an eventfd: wakes a poller.
class Notifier {
 public:
  static Result<Notifier> make();
  /// False: the program has closed it, and nobody is woken.
  bool notify() noexcept;
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
  /// Fires at this absolute time (ns); 0 disarms. False: the program has closed it.
  bool arm(std::int64_t at_ns) noexcept;
  void clear() noexcept;
  const Fd& fd() const { return fd_; }

 private:
  explicit Timer(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace hotspare::os
