#pragma once

#include "os/process.hpp"

#include <hotspare/detail/embedding.hpp>

#include <string>
#include <vector>

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

/// A fresh program, as the embedding runtime wants it, if it does. It inherits the descriptors, and a variable.
os::Result<pid_t> spawn_program(const std::vector<std::string>& command, const std::string& variable,
                                const std::string& value, const std::vector<int>& inherited);

/// fork() as the embedding runtime, if there is one, wants it. 0 in the child.
os::Result<pid_t> fork_image();

}  // namespace hotspare::zygote
