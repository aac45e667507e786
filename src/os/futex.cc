#include "os/futex.hpp"

#include "os/check.hpp"
#include "os/clock.hpp"

#include <array>
#include <cerrno>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hotspare::os {
namespace {

int flag(FutexScope scope) { return scope == FutexScope::process ? FUTEX_PRIVATE_FLAG : 0; }

}  // namespace

bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, FutexScope scope,
                std::int64_t deadline_ns, bool* interrupted) noexcept {
  const timespec deadline = to_timespec(deadline_ns < 0 ? 0 : deadline_ns);
  // FUTEX_WAIT_BITSET takes an absolute deadline, FUTEX_WAIT a relative one.
  const long result = ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | flag(scope), expected,
                                deadline_ns < 0 ? nullptr : &deadline, nullptr, FUTEX_BITSET_MATCH_ANY);
  if (interrupted != nullptr && result == -1 && errno == EINTR) *interrupted = true;
  return !(result == -1 && errno == ETIMEDOUT);
}

void futex_wake(const std::atomic<std::uint32_t>& word, int count, FutexScope scope) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE | flag(scope), count, nullptr, nullptr, 0);
}

int futex_wait_any(std::span<const FutexWatch> watches, std::int64_t deadline_ns) noexcept {
  HS_CHECK(!watches.empty() && watches.size() <= max_futex_watches);
  std::array<futex_waitv, max_futex_watches> entries{};
  for (std::size_t i = 0; i < watches.size(); ++i) {
    entries[i].uaddr = reinterpret_cast<std::uintptr_t>(watches[i].word);
    entries[i].val = watches[i].expected;
    entries[i].flags = FUTEX_32 | static_cast<std::uint32_t>(flag(watches[i].scope));
  }
  const timespec deadline = to_timespec(deadline_ns < 0 ? 0 : deadline_ns);
  const long woken = ::syscall(SYS_futex_waitv, entries.data(), watches.size(), 0,
                               deadline_ns < 0 ? nullptr : &deadline, CLOCK_MONOTONIC);
  if (woken >= 0) return static_cast<int>(woken);
  switch (errno) {
    case EAGAIN:
    case EINTR:
    case ETIMEDOUT:
    case EFAULT:  // a word whose memory has gone meanwhile: the caller looks again
    case ENOMEM: return -1;
    default: return cannot_wait_any;
  }
}

bool can_wait_any() noexcept {
  // Of nothing: where it is known, that is invalid.
  return ::syscall(SYS_futex_waitv, nullptr, 0, 0, nullptr, CLOCK_MONOTONIC) == -1 && errno == EINVAL;
}

}  // namespace hotspare::os
