#pragma once

#include "os/fd.hpp"
#include "os/result.hpp"
#include "zygote/protocol.hpp"

#include <hotspare/options.hpp>

#include <string>
#include <sys/types.h>

namespace hotspare::zygote {

/// The host's ends of one zygote.
struct Handle {
  pid_t pid = 0;
  os::Fd pidfd;
  os::Fd control;
  os::Fd lifeline;
  bool own_child = false;  ///< We started it, so we reap it; a standby is its predecessor's child.
  bool ready = false;
};

/// Forks this process into a zygote, or starts this program afresh as one.
os::Result<Handle> launch(Start start, const Setup& setup);
/// A control socket and lifeline for a standby, and the request that makes it. handle.pid comes with the reply.
os::Result<Handle> ask_standby(const Handle& zygote);

/// Called by hotspare::init: becomes the zygote if the environment says so.
void become_zygote_if_asked();
/// Empty, or why this process can't use Start::exec.
std::string why_no_exec();

}  // namespace hotspare::zygote
