#include "os/file_size_limit.hpp"

#include <ctime>
#include <sys/resource.h>

namespace hotspare::os {
namespace {

rlim_t file_size_limit() noexcept {
  rlimit limit{};
  return ::getrlimit(RLIMIT_FSIZE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

sigset_t only_this_signal() noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGXFSZ);
  return set;
}

bool is_pending() noexcept {
  sigset_t pending;
  return sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 1;
}

}  // namespace

Status within_file_size_limit(std::uint64_t size) {
  const rlim_t limit = file_size_limit();
  if (limit == RLIM_INFINITY || size <= limit) return Done{};
  return Failure{EFBIG, "a file of " + std::to_string(size) +
                            " bytes, shared memory included, where this process may have " + std::to_string(limit) +
                            " (RLIMIT_FSIZE, `ulimit -f`)"};
}

FileSizeErrors::FileSizeErrors() noexcept : limited_(file_size_limit() != RLIM_INFINITY) {
  if (!limited_) return;
  was_pending_ = is_pending();
  const sigset_t set = only_this_signal();
  ::pthread_sigmask(SIG_BLOCK, &set, &before_);
}

FileSizeErrors::~FileSizeErrors() {
  if (!limited_) return;
  if (!was_pending_ && is_pending()) {
    const sigset_t set = only_this_signal();
    const timespec at_once{};
    retry([&] { return ::sigtimedwait(&set, nullptr, &at_once); });
  }
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace hotspare::os
