#pragma once

#include <atomic>
#include <pthread.h>

namespace hotspare::metrics {

/// One object of the whole process, made when it is first asked for and never destroyed, since threads may use it while the
/// program ends. A fork begins without one: what it inherits may be locked by threads that it has not. At most one of each T.
/// Threads: any.
template <class T>
class ProcessWide {
 public:
  constexpr ProcessWide() = default;

  /// Null: nobody has asked for it.
  T* find() const noexcept { return current.load(std::memory_order_acquire); }
  T& get() {
    if (T* const there = find()) return *there;
    if (!watches_forks.exchange(true)) ::pthread_atfork(nullptr, nullptr, in_child);
    // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): never destroyed
    T* const made = new T;
    T* expected = nullptr;
    if (current.compare_exchange_strong(expected, made, std::memory_order_acq_rel)) return *made;
    delete made;
    return *expected;
  }
  bool is_current(const T* object) const noexcept { return object == find(); }

 private:
  static void in_child() {
    inherited.store(current.exchange(nullptr));  // so that no leak checker takes it for lost
  }
  static constinit inline std::atomic<T*> current{nullptr};
  static constinit inline std::atomic<T*> inherited{nullptr};
  static constinit inline std::atomic<bool> watches_forks{false};
};

}  // namespace hotspare::metrics
