#include "os/owner.hpp"

#include "os/memory.hpp"

#include <atomic>
#include <pthread.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

using Number = std::atomic<std::uint64_t>;

/// In a page that a fork sees as zeros. Null where the kernel has no such pages: then the pid has to do.
Number* number_of_this_process() {
  // Never unmapped: who destroys a pool at the very end asks it, too.
  static const Mapping* const page = []() -> const Mapping* {
    auto made = Mapping::wiped_on_fork();
    return made ? new Mapping(std::move(*made)) : nullptr;
  }();
  return page == nullptr ? nullptr : page->as<Number>();
}

/// Another one than those of all processes that this one was forked from.
std::uint64_t this_process() {
  Number* const number = number_of_this_process();
  if (number == nullptr) return static_cast<std::uint64_t>(::getpid());
  std::uint64_t seen = number->load(std::memory_order_relaxed);
  if (seen != 0) return seen;
  static Number last{0};
  const std::uint64_t next = last.fetch_add(1, std::memory_order_relaxed) + 1;
  return number->compare_exchange_strong(seen, next, std::memory_order_relaxed) ? next : seen;
}

Number forks{0};
void count_fork() { forks.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

Owner::Owner() : process_(this_process()) {}

bool Owner::is_this() const noexcept {
  Number* const number = number_of_this_process();
  if (number == nullptr) return process_ == static_cast<std::uint64_t>(::getpid());
  return process_ == number->load(std::memory_order_relaxed);
}

std::uint64_t forks_so_far() {
  static const int registered = ::pthread_atfork(count_fork, count_fork, nullptr);
  static_cast<void>(registered);
  return forks.load(std::memory_order_relaxed);
}

}  // namespace hotspare::os
