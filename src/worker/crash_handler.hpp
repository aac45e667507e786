#pragma once

namespace hotspare::worker {

/// Makes every fatal signal, std::terminate and a memory limit leave last words in the channel and ring the host before
/// the process dies, and die all the same. Handlers that the program set itself are left alone.
void install_crash_handler();

/// The host sends this signal to a worker that hangs, if a language runtime is embedded that can tell its own stack.
int script_stack_signal() noexcept;

/// Ends the worker because its main thread is about to end alone (pthread_exit, pthread_cancel). For handlers of
/// abi::__forced_unwind, which must stand before those of all exceptions: who catches it and goes on is aborted by glibc. There
/// is no such object, so the handler's reference is bound to null, and its function is [[gnu::no_sanitize("null")]].
[[noreturn]] void die_of_thread_exit() noexcept;

/// Ends the worker because its initializer threw; the message goes to the host.
[[noreturn]] void die_of_initializer(const char* message) noexcept;

}  // namespace hotspare::worker
