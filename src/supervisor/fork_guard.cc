#include "supervisor/fork_guard.hpp"

#include "os/fd.hpp"

#include <map>
#include <mutex>
#include <pthread.h>

namespace hotspare::supervisor {
namespace {

// Never destroyed: a fork may happen while the program ends.
std::mutex& mutex() {
  static auto* const it = new std::mutex;
  return *it;
}
/// And which file each was: a number that the program has closed may be a file of its own by then.
std::map<int, std::uint64_t>& fds() {
  static auto* const it = new std::map<int, std::uint64_t>;
  return *it;
}

void before_fork() { mutex().lock(); }
void in_parent() { mutex().unlock(); }
void in_child() {
  for (const auto& [fd, file] : fds())
    if (os::Fd::file_at(fd) == file) os::Fd(fd).reset();
  fds().clear();
  mutex().unlock();
}

}  // namespace

void close_in_forks(int fd) {
  static const int registered = ::pthread_atfork(before_fork, in_parent, in_child);
  static_cast<void>(registered);
  std::lock_guard lock(mutex());
  fds().insert_or_assign(fd, os::Fd::file_at(fd));
}

bool forget_in_forks(int fd) {
  std::lock_guard lock(mutex());
  return fds().erase(fd) != 0;
}

}  // namespace hotspare::supervisor
