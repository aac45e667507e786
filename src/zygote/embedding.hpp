#pragma once

#include "os/process.hpp"

#include <hotspare/detail/embedding.hpp>

namespace hotspare::zygote {

inline void call(void (*hook)()) {
  if (hook != nullptr) hook();
}

/// fork() as the embedding runtime, if there is one, wants it. 0 in the child.
os::Result<pid_t> fork_image();

}  // namespace hotspare::zygote
