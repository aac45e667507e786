#pragma once

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <string>

namespace hotspare::testing {

/// A path of its own in the test's folder; what stands there goes with it.
class TemporaryPath {
 public:
  explicit TemporaryPath(const char* what) {
    static std::atomic<int> last{0};
    path_ = (std::filesystem::temp_directory_path() /
             (std::string(what) + "-" + std::to_string(::getpid()) + "-" + std::to_string(++last)))
                .string();
  }
  ~TemporaryPath() { ::unlink(path_.c_str()); }
  TemporaryPath(const TemporaryPath&) = delete;
  TemporaryPath& operator=(const TemporaryPath&) = delete;
  const std::string& str() const { return path_; }

 private:
  std::string path_;
};

/// Lets tasks wait for the test, and the test for tasks, without sleeping: a FIFO that holds one byte for each who may
/// pass. By name, so that it works whatever the start method is; a task that is killed at it takes no byte along.
class Gate {
 public:
  Gate() : path_("gate") {
    EXPECT_EQ(::mkfifo(path_.str().c_str(), 0600), 0);
    fd_ = ::open(path_.str().c_str(), O_RDWR | O_CLOEXEC);
    EXPECT_GE(fd_, 0);
  }
  ~Gate() { ::close(fd_); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  const std::string& path() const { return path_.str(); }
  void open(int passers = 1) {
    for (int i = 0; i < passers; ++i) EXPECT_EQ(::write(fd_, "x", 1), 1);
  }
  /// Until so many tasks have knocked.
  void await(int knocks = 1) {
    for (int i = 0; i < knocks; ++i) take(fd_);
  }

  // In tasks:
  static void pass(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    take(fd);
    ::close(fd);
  }
  static void knock(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    EXPECT_EQ(::write(fd, "x", 1), 1);
    ::close(fd);
  }

 private:
  static void take(int fd) {
    char byte = 0;
    ssize_t got = 0;
    do {
      got = ::read(fd, &byte, 1);
    } while (got < 0 && errno == EINTR);
    EXPECT_EQ(got, 1);
  }
  TemporaryPath path_;
  int fd_ = -1;
};

/// Knocks at the first, then waits at the second.
inline int knock_and_pass(const std::string& knock_at, const std::string& pass_at) {
  Gate::knock(knock_at);
  Gate::pass(pass_at);
  return 1;
}

}  // namespace hotspare::testing
