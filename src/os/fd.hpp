#pragma once

#include <utility>

namespace hotspare::os {

/// Owns one file descriptor; closes it once. Never one of 0 to 2: where a program has closed those, the kernel hands their
/// numbers out again, and whatever writes to its standard output or error would write into our sockets and memory.
class Fd {
 public:
  Fd() noexcept = default;
  /// Takes it over; one of 0 to 2 is moved to a number above these, close-on-exec. Empty (and errno says why) when there is
  /// no such number left, as when fd is -1.
  explicit Fd(int fd) noexcept : fd_(fd < 0 || fd > highest_standard ? fd : moved_up(fd)) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept;

 private:
  static constexpr int highest_standard = 2;
  static int moved_up(int fd) noexcept;
  int fd_ = -1;
};

/// Programs that this process starts do not inherit it.
void close_on_exec(const Fd& fd) noexcept;

}  // namespace hotspare::os
