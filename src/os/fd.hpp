#pragma once

#include <cstdint>
#include <utility>

namespace hotspare::os {

/// Owns one file descriptor; closes it once. Never one of 0 to 2: where a program has closed those, the kernel hands their
/// numbers out again, and whatever writes to its standard output or error would write into our sockets and memory. Should the
/// program have closed it (code that makes a daemon of it closes all that it finds), its number may be a file of the program's
/// own by then, and is left alone.
class Fd {
 public:
  Fd() noexcept = default;
  /// Takes it over; one of 0 to 2 is moved to a number above these, close-on-exec. Empty (and errno says why) when there is
  /// no such number left, as when fd is -1.
  explicit Fd(int fd) noexcept
      : fd_(fd < 0 || fd > highest_standard ? fd : moved_up(fd)), file_(keeps_files_in_mind ? file_at(fd_) : unknown) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)), file_(other.file_) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(file_, other.file_);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept;
  /// False: there is none, or somebody else has closed it. Anonymous ones (eventfd, epoll, timerfd) are not told from each other.
  bool is_ours() const noexcept { return fd_ >= 0 && (file_ == unknown || file_at(fd_) == file_); }
  /// From now on, of one that was made before.
  void keep_file_in_mind() noexcept { file_ = file_at(fd_); }
  /// Whether new ones do that. Not where they are gone before code of the program's runs: a zygote receives six for each
  /// child, and each costs two system calls more. Not thread-safe.
  static void keep_files_in_mind(bool yes) noexcept { keeps_files_in_mind = yes; }
  /// Which file a number means now; 0: none. errno is kept.
  static std::uint64_t file_at(int fd) noexcept;

 private:
  static constexpr int highest_standard = 2;
  static constexpr std::uint64_t unknown = 0;
  static inline bool keeps_files_in_mind = true;
  static int moved_up(int fd) noexcept;
  int fd_ = -1;
  std::uint64_t file_ = 0;
};

/// Programs that this process starts do not inherit it.
void close_on_exec(const Fd& fd) noexcept;

}  // namespace hotspare::os
