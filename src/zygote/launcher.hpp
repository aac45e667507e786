#pragma once

#include "os/fd.hpp"
#include "os/result.hpp"
#include "zygote/protocol.hpp"

#include <hotspare/options.hpp>

#include <string>
#include <sys/types.h>

namespace hotspare::zygote {

/// Who reaps a zygote.
enum class Parent : unsigned char {
  host,  ///< We do.
  seed,  ///< The seed, when we ask it to.
  gone,  ///< Its parent was a zygote that is dead: init does.
};

/// The host's ends of one zygote.
struct Handle {
  pid_t pid = 0;
  os::Fd pidfd;
  os::Fd control;
  os::Fd lifeline;
  Parent parent = Parent::host;
  bool born = false;   ///< It has a pid and a pidfd.
  bool ready = false;  ///< It is set up: it may be asked for workers.
};

/// Forks this process into a parked zygote, or starts this program afresh as one.
os::Result<Handle> launch(const PoolOptions& options);
/// Makes a parked one work: sends the setup. It preloads, if it did not inherit that, and says that it is ready.
os::Status set_up(Handle& zygote, const Setup& setup);
/// Asks a zygote to fork a parked copy of itself. Its pid and pidfd come with the reply.
os::Result<Handle> ask_copy(const Handle& of);

/// Called by hotspare::init: becomes the zygote if the environment says so.
void become_zygote_if_asked();
/// Empty, or why this process can't use the start method that the options name.
std::string why_not(const PoolOptions& options);

}  // namespace hotspare::zygote
