#pragma once

#include <csignal>
#include <cstddef>
#include <span>

namespace hotspare::os {

/// Dispositions and mask as a fresh process has them, but SIGPIPE as it was. For a process that was forked out of a
/// program which may have changed them.
void default_signals() noexcept;

/// A process that reaps its children itself hears of each: where the program ignores SIGCHLD the kernel would reap them, and
/// their exit status would be lost.
class OwnChildren {
 public:
  /// SIGCHLD has its default disposition from now on.
  OwnChildren() noexcept;
  /// In a child that is the program's again: as the program had it.
  void give_back() const noexcept;

 private:
  struct sigaction before_ {};
};

/// While it lives, this thread (and those that it starts, for ever) leaves the process's signals to others; but for those
/// that its own faults raise.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept;
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

using SignalHandler = void (*)(int, siginfo_t*, void*);
/// Handles the signal on the thread's alternate stack with all other signals blocked, if nobody else handles it.
void handle_if_default(int signal, SignalHandler handler) noexcept;
/// Gives the signal its default action and lets it act on this thread: does not return, unless the signal is ignored
/// by default.
void die_of(int signal) noexcept;
/// A stack of its own for signal handlers of this thread, so that a stack overflow can be handled. What the kernel saves there
/// first has its memory already: two page faults there are 4 µs before a crash handler's first instruction.
void use_alternate_stack(std::span<std::byte> stack) noexcept;
/// Sleeps until killed.
[[noreturn]] void wait_for_the_end() noexcept;

}  // namespace hotspare::os
