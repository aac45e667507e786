#pragma once

#include "os/process.hpp"

#include <hotspare/detail/embedding.hpp>

namespace hotspare::zygote {

inline void call(void (*hook)()) {
  if (hook != nullptr) hook();
}

/// A process of ours sleeps with nothing to do while this lives.
class Idle {
 public:
  Idle() { call(hotspare::detail::embedding().idle_begins); }
  ~Idle() { call(hotspare::detail::embedding().idle_ends); }
  Idle(const Idle&) = delete;
  Idle& operator=(const Idle&) = delete;
};

/// fork() as the embedding runtime, if there is one, wants it. 0 in the child.
os::Result<pid_t> fork_image();

}  // namespace hotspare::zygote
