#pragma once

#include "child/host_end.hpp"
#include "os/fd.hpp"
#include "os/result.hpp"
#include "zygote/protocol.hpp"

#include <hotspare/options.hpp>

#include <cstdint>
#include <cstring>
#include <list>
#include <string>
#include <sys/types.h>
#include <type_traits>
#include <vector>

namespace hotspare::zygote {

/// What a zygote is made of: this process's own image, or the program started afresh.
struct Image {
  Start start = Start::fork;
  std::vector<std::string> exec_command;  ///< Empty: this program, with its own arguments.
  std::vector<int> exec_keep;             ///< Descriptors that it inherits.
};
/// Of what the options of a pool, or a channel, say.
template <class Options>
Image image_of(const Options& options) {
  return {options.start, options.exec_command, options.exec_keep};
}

/// What each of its children is to be.
template <class Options>
Setup setup_of(const Options& options, Breed breed) {
  Setup setup;
  setup.breed = breed;
  if (options.preload != nullptr) setup.preload = detail::locate(reinterpret_cast<const void*>(options.preload));
  setup.host = os::own_pid();
  std::strncpy(setup.name, options.name.c_str(), sizeof setup.name - 1);
  return setup;
}

/// The host's ends of one zygote.
struct Handle {
  std::uint64_t number = 0;  ///< By which its owner's notices name it: never another's.
  pid_t pid = 0;
  os::Fd pidfd;
  child::HostEnd control;
  child::HostEnd lifeline;
  std::list<Request> unsent;  ///< What there was no room for in its socket.
  unsigned unwanted = 0;      ///< So many of the next copies that it tells of are not wanted any more.
  bool born = false;          ///< It has a pid and a pidfd.
  bool ready = false;         ///< It is set up: it may be asked.
};
// Whoever forgets one, or puts another in its place, does so whole.
static_assert(std::is_nothrow_default_constructible_v<Handle> && std::is_nothrow_move_assignable_v<Handle>);

/// Forks this process into a parked zygote, or starts this program afresh as one. Where there are no pidfds it has none.
os::Result<Handle> launch(const Image& image);
/// Makes a parked one work: sends the setup. It preloads, if it did not inherit that, and says that it is ready.
os::Status set_up(Handle& zygote, const Setup& setup);
/// Asks a zygote to fork a parked copy of itself. Its pid and pidfd come with the reply.
os::Result<Handle> ask_copy(const Handle& of);

/// Called by hotspare::init: becomes the zygote if the environment says so.
void become_zygote_if_asked();
/// Empty, or why this process can't make one of that.
std::string why_not(const Image& image);

}  // namespace hotspare::zygote
