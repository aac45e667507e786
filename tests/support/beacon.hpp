#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>

namespace hotspare::testing {

/// A few words that a test and its task share, so that the one knows for sure how far the other has come. The task finds
/// them by path(), which also works in a program started afresh. Nothing named is left, however either dies.
class Beacon {
 public:
  Beacon() : Beacon(static_cast<int>(::syscall(SYS_memfd_create, "beacon", 1u /* MFD_CLOEXEC */))) {
    if (::ftruncate(fd_, sizeof(Words)) != 0) std::abort();
    map();
  }
  /// In the task.
  explicit Beacon(const std::string& path) : Beacon(::open(path.c_str(), O_RDWR | O_CLOEXEC)) { map(); }
  ~Beacon() {
    ::munmap(words_, sizeof(Words));
    ::close(fd_);
  }
  Beacon(const Beacon&) = delete;
  Beacon& operator=(const Beacon&) = delete;

  std::string path() const { return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd_); }
  void tell(std::uint64_t value, std::size_t word = 0) { (*words_)[word].store(value); }
  /// For several that tell the same word.
  void add(std::uint64_t value, std::size_t word) { (*words_)[word].fetch_add(value); }
  std::uint64_t told(std::size_t word = 0) const { return (*words_)[word].load(); }
  /// Waits until the word is told; ctest's time limit is the watchdog.
  std::uint64_t wait(std::size_t word = 0) const {
    const auto pause = std::chrono::milliseconds(1);
    while ((*words_)[word].load() == 0) std::this_thread::sleep_for(pause);  // style: the event is this word
    return (*words_)[word].load();
  }

 private:
  using Words = std::array<std::atomic<std::uint64_t>, 8>;
  explicit Beacon(int fd) : fd_(fd) {}
  void map() {
    void* at = ::mmap(nullptr, sizeof(Words), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (at == MAP_FAILED) std::abort();
    words_ = static_cast<Words*>(at);
  }
  int fd_;
  Words* words_ = nullptr;
};

/// A process that is watched from when it is known to be alive, so that its number cannot come to mean another.
class Watched {
 public:
  explicit Watched(std::uint64_t pid) : pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  ~Watched() { ::close(pidfd_); }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  bool found() const { return pidfd_ >= 0; }
  bool gone() const { return ends_within(0); }
  void wait_until_gone() const { ends_within(-1); }

 private:
  bool ends_within(int milliseconds) const {
    pollfd state{pidfd_, POLLIN, 0};
    return ::poll(&state, 1, milliseconds) == 1;
  }
  int pidfd_;
};

}  // namespace hotspare::testing
