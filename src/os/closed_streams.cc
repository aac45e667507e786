#include "os/closed_streams.hpp"

#include "os/fd.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <mutex>
#include <pthread.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

constexpr int streams = 3;

// Trivially destroyed: a pool may end, and a fork happen, while the program ends.
constinit std::mutex mutex;
constinit int holders = 0;
constinit std::array<std::uint64_t, streams> held{};  ///< Which file of ours stands at the number; 0: none.

bool is_closed(int fd) noexcept { return ::fcntl(fd, F_GETFD) < 0; }
bool is_held(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_PATH) != 0 && Fd::file_at(fd) == held[static_cast<std::size_t>(fd)];
}

void let_go() noexcept {
  for (int fd = 0; fd < streams; ++fd) {
    if (held[static_cast<std::size_t>(fd)] != 0 && is_held(fd)) ::close(fd);
    held[static_cast<std::size_t>(fd)] = 0;
  }
}

void before_fork() { mutex.lock(); }
void in_parent() { mutex.unlock(); }
void in_child() {
  let_go();
  holders = 0;
  mutex.unlock();
}

/// Before anybody can hold the mutex: a fork just then would have it locked by a thread that it has not.
[[maybe_unused]] const int registered = ::pthread_atfork(before_fork, in_parent, in_child);

void fill() noexcept {
  for (;;) {
    const int fd = ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);  // there in each process
    if (fd < 0) return;
    if (fd >= streams) {
      ::close(fd);
      return;
    }
    held[static_cast<std::size_t>(fd)] = Fd::file_at(fd);
  }
}

}  // namespace

void keep_closed_streams() noexcept {
  const int before = errno;
  const std::lock_guard lock(mutex);
  ++holders;
  if (is_closed(0) || is_closed(1) || is_closed(2)) fill();
  errno = before;
}

ClosedStreams::ClosedStreams() { keep_closed_streams(); }

ClosedStreams::~ClosedStreams() {
  if (!owner_.is_this()) return;  // in_child() has let go of it
  const std::lock_guard lock(mutex);
  if (--holders == 0) let_go();
}

}  // namespace hotspare::os
