#include "death/sentries.hpp"

#include "os/futex.hpp"
#include "os/signals.hpp"

#include <climits>
#include <linux/futex.h>
#include <system_error>

namespace hotspare::death {

void Sentries::start(std::size_t threads) {
  const os::SignalsBlocked blocked;
  for (; count_ < threads && count_ < most; ++count_) {
    try {
      sentries_[count_].thread = std::thread([this, &sentry = sentries_[count_]] { stand(sentry); });
    } catch (const std::system_error&) {
      return;  // the others' deaths are heard later
    }
  }
}

bool Sentries::watch(std::atomic<std::uint32_t>& word, std::shared_ptr<const void> keeps, Until until) {
  for (std::size_t i = 0; i < count_; ++i) {
    Sentry& sentry = sentries_[i];
    // SYNC POINT sentry: released by stand, which is through with what it had.
    if (sentry.word.load(std::memory_order_acquire) != nullptr) continue;
    sentry.keeps = std::move(keeps);
    sentry.until = until;
    // SYNC POINT sentry: acquired by stand.
    sentry.word.store(&word, std::memory_order_release);
    sentry.call.fetch_add(1, std::memory_order_release);
    os::futex_wake(sentry.call, 1, os::FutexScope::process);
    return true;
  }
  return false;
}

void Sentries::stand(Sentry& sentry) {
  begin_();
  for (;;) {
    const std::uint32_t call = sentry.call.load(std::memory_order_acquire);
    if (ends_.load(std::memory_order_acquire)) return;
    // SYNC POINT sentry: released by watch.
    std::atomic<std::uint32_t>* const word = sentry.word.load(std::memory_order_acquire);
    if (word == nullptr) {
      os::futex_wait(sentry.call, call, os::FutexScope::process);
      continue;
    }
    watch_one(sentry, *word);
    const std::lock_guard lock(mutex_);
    sentry.keeps.reset();
    // SYNC POINT sentry: acquired by watch.
    sentry.word.store(nullptr, std::memory_order_release);
  }
}

void Sentries::watch_one(const Sentry& sentry, std::atomic<std::uint32_t>& word) const {
  for (;;) {
    std::uint32_t value = word.load(std::memory_order_acquire);
    if (ends_.load(std::memory_order_acquire)) return;  // after that: who ends us changes the word, too
    if ((value & FUTEX_OWNER_DIED) != 0) {
      heard_();
      if (sentry.until == Until::death) return;
    } else if ((value & FUTEX_TID_MASK) != 0 && (value & FUTEX_WAITERS) == 0) {
      // The kernel wakes a robust word's waiter only if the word says that there is one.
      if (!word.compare_exchange_strong(value, value | FUTEX_WAITERS, std::memory_order_acq_rel)) continue;
      value |= FUTEX_WAITERS;
    }
    os::futex_wait(word, value, os::FutexScope::shared);
  }
}

void Sentries::mark(std::atomic<std::uint32_t>& word) noexcept {
  word.fetch_or(FUTEX_OWNER_DIED, std::memory_order_acq_rel);
  os::futex_wake(word, INT_MAX, os::FutexScope::shared);
}

void Sentries::end() {
  ends_.store(true, std::memory_order_release);
  for (std::size_t i = 0; i < count_; ++i) {
    Sentry& sentry = sentries_[i];
    sentry.call.fetch_add(1, std::memory_order_release);
    os::futex_wake(sentry.call, 1, os::FutexScope::process);
    std::unique_lock lock(mutex_);
    std::atomic<std::uint32_t>* const word = sentry.word.load(std::memory_order_acquire);
    const std::shared_ptr<const void> keeps = sentry.keeps;
    lock.unlock();
    if (word == nullptr) continue;
    word->fetch_xor(FUTEX_TID_MASK, std::memory_order_acq_rel);
    os::futex_wake(*word, INT_MAX, os::FutexScope::shared);
  }
  for (std::size_t i = 0; i < count_; ++i) sentries_[i].thread.join();
  count_ = 0;
}

}  // namespace hotspare::death
