#include "worker/crash_handler.hpp"

#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/process.hpp"
#include "os/signals.hpp"
#include "worker/crash_point.hpp"
#include "worker/last_words.hpp"
#include "worker/stack_capture.hpp"
#include "worker/worker_state.hpp"

#include <hotspare/detail/embedding.hpp>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <exception>
#include <linux/audit.h>
#include <new>
#include <sys/ucontext.h>
#include <typeinfo>
#include <ucontext.h>
#include <unwind.h>

namespace hotspare::worker {
namespace {

// Signals whose default action ends the process. SIGKILL tells nobody; SIGPIPE stays as the program has it.
constexpr int fatal_signals[] = {SIGSEGV,   SIGBUS,  SIGFPE,  SIGILL,  SIGABRT,  SIGSYS,  SIGTRAP,
                                 SIGTERM,   SIGINT,  SIGHUP,  SIGQUIT, SIGXCPU,  SIGXFSZ, SIGALRM,
                                 SIGVTALRM, SIGPROF, SIGUSR1, SIGUSR2, SIGSTKFLT};

// Room for the handler and capture_here; SIGSTKSZ is too small with AVX-512 state (11 kB saved registers).
alignas(4096) std::byte alternate_stack[64 * 1024];

bool claim() noexcept { return state.last_words->claimed.exchange(1, std::memory_order_acq_rel) == 0; }

/// SYNC POINT last-words: released here, acquired by the host's listener and by death/evidence.
void publish(LastWordsKind kind) noexcept {
  state.last_words->kind.store(kind, std::memory_order_release);
  ring_listener();
}

void copy_text(const char* text) noexcept {
  std::strncpy(state.last_words->detail, text, sizeof state.last_words->detail - 1);
}

void note_here() noexcept {
  LastWords& words = *state.last_words;
  words.died_at = os::monotonic_ns();
  words.thread_id = os::own_thread_id();
  words.data_limit = state.memory_limit.load(std::memory_order_relaxed);
  if (words.data_limit == 0) return;
  const std::uint64_t before = state.memory_before.load(std::memory_order_relaxed);
  const std::uint64_t now = os::memory_in_use().data;
  words.data_bytes = now > before ? now - before : 0;
}

void note_script_stack() noexcept {
  const auto describe = detail::embedding().describe_stack;
  if (describe == nullptr) return;
  LastWords& words = *state.last_words;
  const std::size_t size = describe(words.script_stack, sizeof words.script_stack - 1);
  words.script_stack[size] = '\0';
}

void note_stack_here() noexcept {
  note_script_stack();
  ucontext_t context;
  ::getcontext(&context);
  capture_here(&context, state.last_words->stack);
}

bool is_fault(const siginfo_t& info) {
  return info.si_code > 0 && (info.si_signo == SIGSEGV || info.si_signo == SIGBUS || info.si_signo == SIGFPE ||
                              info.si_signo == SIGILL || info.si_signo == SIGTRAP);
}

/// Of the other codes below zero some have something else in that place: a timer its number.
bool has_sender(const siginfo_t& info) {
  return info.si_code == SI_USER || info.si_code == SI_QUEUE || info.si_code == SI_TKILL || info.si_code == SI_MESGQ;
}

/// -1: of another architecture, whose numbers mean other calls, or sent by somebody.
int forbidden_call(const siginfo_t& info) {
#if defined(__x86_64__)
  constexpr unsigned own = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
  constexpr unsigned own = AUDIT_ARCH_AARCH64;
#endif
  constexpr int by_seccomp = 1;  // SYS_SECCOMP, asm-generic/siginfo.h
  return info.si_code == by_seccomp && info.si_arch == own ? info.si_syscall : -1;
}

void note_signal(int signal, const siginfo_t& info, const ucontext_t* context) noexcept {
  LastWords& words = *state.last_words;
  words.signal = signal;
  words.signal_code = info.si_code;
  if (is_fault(info)) words.address = reinterpret_cast<std::uint64_t>(info.si_addr);
  if (has_sender(info)) words.sender_pid = info.si_pid;
  if (signal == SIGSYS) words.system_call = forbidden_call(info);
  note_here();
  // The host hears of it now; the stack it reads only when we are dead.
  publish(LastWordsKind::signal);
  reach(CrashPoint::in_crash_handler);
  capture_here(context, words.stack);
  note_script_stack();  // last: of all that is done here it trusts the most in what may be broken
}

void on_fatal_signal(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  // A child that a task forked has no channel; it just dies.
  if (in_worker()) {
    if (claim()) {
      note_signal(signal, *info, static_cast<const ucontext_t*>(context));
    } else if (state.last_words->thread_id != os::own_thread_id()) {
      os::wait_for_the_end();  // another thread is dying and still speaking; its death ends us too
    }
  }
  errno = saved_errno;
  // Blocked until we return: then it acts at once, with the registers of the fault.
  os::die_of(signal);
}

/// For people: "std::runtime_error: no such star".
void describe_current_exception(char* room, std::size_t size) noexcept {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) {
    std::strncpy(room, "std::terminate was called without an exception", size - 1);
    return;
  }
  int status = 0;
  char* demangled = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
  std::strncpy(room, demangled != nullptr ? demangled : type->name(), size - 1);
  std::free(demangled);
  try {
    throw;
  } catch (const std::exception& error) {
    std::strncat(room, ": ", size - std::strlen(room) - 1);
    std::strncat(room, error.what(), size - std::strlen(room) - 1);
  } catch (...) {
  }
}

_Unwind_Reason_Code note_forced(_Unwind_Context* frame, void* found) {
  if (_Unwind_FindEnclosingFunction(reinterpret_cast<void*>(_Unwind_GetIP(frame))) ==
      reinterpret_cast<void*>(&_Unwind_ForcedUnwind))
    *static_cast<bool*>(found) = true;
  return _URC_NO_REASON;
}

/// Whether std::terminate was reached because a thread was ending below something noexcept. That unwinding is no C++
/// exception: it is still at work then, or was caught by the compiler's own handler, and has no exception_ptr.
[[gnu::no_sanitize("null")]] bool thread_was_ending() noexcept {
  if (std::current_exception() != nullptr) return false;
  bool forced = false;
  _Unwind_Backtrace(note_forced, &forced);
  if (forced) return true;
  // The first member of __cxa_eh_globals (Itanium C++ ABI, Exception Handling, 2.2.2): what is being handled.
  if (*reinterpret_cast<void* const*>(abi::__cxa_get_globals()) == nullptr) return false;
  try {
    throw;
  } catch (const abi::__forced_unwind&) {
    die_of_thread_exit();  // to leave this handler would be to catch it for good
  } catch (...) {
    return false;
  }
}

void on_terminate() {
  if (in_worker() && thread_was_ending()) die_of_thread_exit();
  if (in_worker() && claim()) {
    note_here();
    state.last_words->signal = SIGABRT;
    describe_current_exception(state.last_words->detail, sizeof state.last_words->detail);
    publish(LastWordsKind::terminated);
    note_stack_here();
  }
  std::abort();
}

void on_out_of_memory() {
  if (!in_worker() || state.memory_limit.load(std::memory_order_relaxed) == 0) throw std::bad_alloc();
  if (claim()) {
    note_here();
    publish(LastWordsKind::memory_limit);
    note_stack_here();
  }
  os::exit_now(125);
}

/// The host wants to know what the worker hangs in, and ends it afterwards.
void on_script_stack_signal(int, siginfo_t*, void*) {
  const int saved_errno = errno;
  if (in_worker()) {
    note_script_stack();
    std::atomic<std::uint32_t>& told = state.last_words->script_stack_told;
    told.store(1, std::memory_order_release);
    os::futex_wake(told, 1, os::FutexScope::shared);
  }
  errno = saved_errno;
}

/// The same for a worker that no signal reaches: the host has its main thread call this.
[[noreturn]] void tell_script_stack() {
  on_script_stack_signal(0, nullptr, nullptr);
  os::wait_for_the_end();
}

}  // namespace

int script_stack_signal() noexcept { return SIGRTMAX - 2; }

void install_crash_handler() {
  os::use_alternate_stack(alternate_stack);
  for (const int signal : fatal_signals) os::handle_if_default(signal, on_fatal_signal);
  if (detail::embedding().describe_stack != nullptr) {
    os::handle_if_default(script_stack_signal(), on_script_stack_signal);
    state.last_words->script_stack_teller = reinterpret_cast<std::uintptr_t>(&tell_script_stack);
  }
  std::set_terminate(on_terminate);
  std::set_new_handler(on_out_of_memory);
}

void die_of_thread_exit() noexcept {
  if (in_worker() && claim()) {
    note_here();
    publish(LastWordsKind::thread_exit);
  }
  os::exit_now(1);
}

void die_of_initializer(const char* message) noexcept {
  if (claim()) {
    note_here();
    copy_text(message);
    note_script_stack();
    publish(LastWordsKind::initializer);
  }
  os::exit_now(1);
}

}  // namespace hotspare::worker
