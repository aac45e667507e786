#include "supervisor/fork_guard.hpp"

#include "os/fd.hpp"

#include <mutex>
#include <pthread.h>
#include <set>

namespace hotspare::supervisor {
namespace {

// Never destroyed: a fork may happen while the program ends.
std::mutex& mutex() {
  static auto* const it = new std::mutex;
  return *it;
}
std::set<int>& fds() {
  static auto* const it = new std::set<int>;
  return *it;
}

void before_fork() { mutex().lock(); }
void in_parent() { mutex().unlock(); }
void in_child() {
  for (const int fd : fds()) os::Fd(fd).reset();
  fds().clear();
  mutex().unlock();
}

}  // namespace

void close_in_forks(int fd) {
  static const int registered = ::pthread_atfork(before_fork, in_parent, in_child);
  static_cast<void>(registered);
  std::lock_guard lock(mutex());
  fds().insert(fd);
}

bool forget_in_forks(int fd) {
  std::lock_guard lock(mutex());
  return fds().erase(fd) != 0;
}

}  // namespace hotspare::supervisor
