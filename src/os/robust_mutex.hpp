#pragma once

#include "os/check.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <pthread.h>

namespace hotspare::os {

/// A mutex that processes share and that the kernel marks when its owner dies: the owner takes it for life. Its first word,
/// which others may be looking at when it is made anew, is stored last, as the atomic that it is for them.
inline void make_robust_mutex(pthread_mutex_t& mutex) {
  pthread_mutexattr_t attributes;
  ::pthread_mutexattr_init(&attributes);
  ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_t made;
  HS_CHECK(::pthread_mutex_init(&made, &attributes) == 0);
  ::pthread_mutexattr_destroy(&attributes);
  constexpr std::size_t word = sizeof(std::atomic<std::uint32_t>);
  std::memcpy(reinterpret_cast<std::byte*>(&mutex) + word, reinterpret_cast<const std::byte*>(&made) + word,
              sizeof mutex - word);
  reinterpret_cast<std::atomic<std::uint32_t>*>(&mutex)->store(0, std::memory_order_release);
}

}  // namespace hotspare::os
