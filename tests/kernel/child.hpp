#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <new>
#include <sstream>
#include <utility>

/// Tools of the kernel facts: a child that is always ended and reaped, a page shared with it, a bell that it rings.
namespace kernel_facts {

/// A T in memory that forked children share.
template <class T>
class Shared {
 public:
  Shared() {
    void* page = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) throw std::bad_alloc();
    value_ = new (page) T{};
  }
  ~Shared() { ::munmap(value_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T* operator->() const { return value_; }
  T& operator*() const { return *value_; }

 private:
  T* value_;
};

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { reset(); }
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

/// A forked child that runs a function and then exits with 0. Ended and reaped with this object at the latest.
class Child {
 public:
  template <class F>
  explicit Child(F run) : bell_(::eventfd(0, EFD_CLOEXEC)) {
    pid_ = ::fork();
    if (pid_ == 0) {
      const rlimit no_core{0, 0};  // children die on purpose here
      ::setrlimit(RLIMIT_CORE, &no_core);
      run(*this);
      ::_exit(0);
    }
    pidfd_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  }
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    reap();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }

  /// In the child: tells the parent that all is prepared.
  void ring() const { ::eventfd_write(bell_.get(), 1); }
  [[noreturn]] void ring_and_wait() const {
    ring();
    for (;;) ::pause();
  }
  /// In the parent: waits for ring(). False when the child died first.
  bool await() const {
    std::array<pollfd, 2> events{pollfd{bell_.get(), POLLIN, 0}, pollfd{pidfd(), POLLIN, 0}};
    while (::poll(events.data(), events.size(), -1) < 0 && errno == EINTR) {
    }
    eventfd_t rung = 0;
    return events[0].revents != 0 && ::eventfd_read(bell_.get(), &rung) == 0;
  }
  void kill() const { ::kill(pid_, SIGKILL); }
  /// Waits until it has died, without reaping it.
  void await_death() const {
    pollfd event{pidfd(), POLLIN, 0};
    while (::poll(&event, 1, -1) < 0 && errno == EINTR) {
    }
  }
  siginfo_t reap() {
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return info;
  }

 private:
  pid_t pid_ = -1;
  Descriptor bell_;
  Descriptor pidfd_;
};

inline bool kernel_is_at_least(int major, int minor) {
  utsname name{};
  ::uname(&name);
  std::istringstream release(name.release);
  int has_major = 0;
  int has_minor = 0;
  char dot = 0;
  release >> has_major >> dot >> has_minor;
  return std::pair(has_major, has_minor) >= std::pair(major, minor);
}

}  // namespace kernel_facts
