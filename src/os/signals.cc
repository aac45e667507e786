#include "os/signals.hpp"

#include "os/memory.hpp"

#include <algorithm>
#include <sys/syscall.h>
#include <unistd.h>

namespace hotspare::os {

void default_signals() noexcept {
  for (int signal = 1; signal < NSIG; ++signal)
    if (signal != SIGPIPE && signal != SIGKILL && signal != SIGSTOP) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

OwnChildren::OwnChildren() noexcept {
  struct sigaction own {};
  own.sa_handler = SIG_DFL;
  ::sigaction(SIGCHLD, &own, &before_);
}
void OwnChildren::give_back() const noexcept { ::sigaction(SIGCHLD, &before_, nullptr); }

SignalsBlocked::SignalsBlocked() noexcept {
  sigset_t all;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&all, fault);
  ::pthread_sigmask(SIG_SETMASK, &all, &before_);
}
SignalsBlocked::~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void handle_if_default(int signal, SignalHandler handler) noexcept {
  struct sigaction action {};
  if (::sigaction(signal, nullptr, &action) != 0) return;
  if ((action.sa_flags & SA_SIGINFO) != 0 || action.sa_handler != SIG_DFL) return;
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigfillset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

void die_of(int signal) noexcept {
  ::signal(signal, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  ::syscall(SYS_tgkill, ::syscall(SYS_getpid), ::syscall(SYS_gettid), signal);
  ::sigprocmask(SIG_UNBLOCK, &only, nullptr);
}

void use_alternate_stack(std::span<std::byte> stack) noexcept {
  stack_t alternate{};
  alternate.ss_sp = stack.data();
  alternate.ss_size = stack.size();
  ::sigaltstack(&alternate, nullptr);
  // One page: without AMX the frame has 3 kB, and a page more is memory of each worker for good.
  populate(stack.last(std::min(stack.size(), page_size())));
}

void wait_for_the_end() noexcept {
  for (;;) ::pause();
}

}  // namespace hotspare::os
