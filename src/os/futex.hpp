#pragma once

#include <atomic>
#include <cstdint>
#include <span>

namespace hotspare::os {

enum class FutexScope : unsigned char { process, shared };

/// Sleeps while *word == expected, until woken or the absolute CLOCK_MONOTONIC deadline (ns; negative: none).
/// Returns false only when the deadline passed. May return early: look again. interrupted, if given: set to true when it
/// was a signal handler that ended the sleep.
bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, FutexScope scope,
                std::int64_t deadline_ns = -1, bool* interrupted = nullptr) noexcept;
void futex_wake(const std::atomic<std::uint32_t>& word, int count, FutexScope scope) noexcept;

/// One of the words that futex_wait_any watches.
struct FutexWatch {
  const std::atomic<std::uint32_t>* word;
  std::uint32_t expected;
  FutexScope scope;
};
/// futex_waitv takes this many words at most.
inline constexpr std::size_t max_futex_watches = 128;
/// futex_wait_any: the kernel does not let us (Linux before 5.16, or a filter).
inline constexpr int cannot_wait_any = -2;
/// Sleeps until one of the words no longer has its expected value and is woken, or the deadline. May return early. Returns
/// the index of one that was woken; -1: none was, as far as the kernel says; cannot_wait_any.
int futex_wait_any(std::span<const FutexWatch> watches, std::int64_t deadline_ns) noexcept;
/// Whether it can be had now. A filter may take it away later.
bool can_wait_any() noexcept;

}  // namespace hotspare::os
