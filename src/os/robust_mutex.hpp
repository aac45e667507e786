#pragma once

#include "os/check.hpp"

#include <pthread.h>

namespace hotspare::os {

/// A mutex that processes share and that the kernel marks when its owner dies: the owner takes it for life.
inline void make_robust_mutex(pthread_mutex_t& mutex) {
  pthread_mutexattr_t attributes;
  ::pthread_mutexattr_init(&attributes);
  ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  HS_CHECK(::pthread_mutex_init(&mutex, &attributes) == 0);
  ::pthread_mutexattr_destroy(&attributes);
}

}  // namespace hotspare::os
