#pragma once

namespace hotspare::worker {

/// Makes every fatal signal, std::terminate and a memory limit leave last words in the channel and ring the host before
/// the process dies, and die all the same. Handlers that the program set itself are left alone.
void install_crash_handler();

/// Ends the worker because its initializer threw; the message goes to the host.
[[noreturn]] void die_of_initializer(const char* message) noexcept;

}  // namespace hotspare::worker
