#pragma once

#include <atomic>
#include <cerrno>
#include <dlfcn.h>
#include <pthread.h>

/// For one source of a test: the library's threads are started through the pthread_create below, which refuses some.
namespace hotspare::testing {

/// Counts threads that are asked for; the one that brings it to 0 is refused, and all after it if `all`.
inline std::atomic<int> threads_until_refusal{0};
inline std::atomic<bool> all_threads_after{false};
inline std::atomic<int> threads_refused{0};

class RefuseThread {
 public:
  explicit RefuseThread(int nth, bool all_after = false) {
    threads_refused = 0;
    all_threads_after = all_after;
    threads_until_refusal = nth;
  }
  ~RefuseThread() { threads_until_refusal = 0; }
  RefuseThread(const RefuseThread&) = delete;
  RefuseThread& operator=(const RefuseThread&) = delete;
  bool refused() const { return threads_refused != 0; }
};

inline bool refuse_this_thread() {
  int left = threads_until_refusal.load();
  if (left == 0) return false;
  if (left > 1) {
    threads_until_refusal = left - 1;
    return false;
  }
  if (!all_threads_after) threads_until_refusal = 0;
  ++threads_refused;
  return true;
}

}  // namespace hotspare::testing

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*),
                              void* argument) {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto real = reinterpret_cast<Create>(::dlsym(RTLD_NEXT, "pthread_create"));
  return hotspare::testing::refuse_this_thread() ? EAGAIN : real(thread, attributes, body, argument);
}
