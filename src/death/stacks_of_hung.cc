#include "death/stacks_of_hung.hpp"

#include "death/stack_of_process.hpp"
#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/process.hpp"
#include "os/process_state.hpp"
#include "os/signals.hpp"
#include "worker/crash_handler.hpp"

#include <cerrno>
#include <exception>
#include <new>
#include <utility>

namespace hotspare::death {
namespace {

/// False: it did not in the time that it has for that.
bool wait_for_script_stack(const worker::LastWords& words) {
  const std::int64_t end = os::monotonic_ns() + 15'000'000;
  while (words.script_stack_told.load(std::memory_order_acquire) == 0)
    if (!os::futex_wait(words.script_stack_told, 0, os::FutexScope::shared, end)) return false;
  return true;
}

/// Has the worker itself write the stack of the language that is embedded, if a signal reaches it. True: nothing is left
/// to be done about that.
bool ask_for_script_stack(pid_t pid, const os::Fd& pidfd, const worker::LastWords& words) {
  if (words.script_stack_teller == 0) return true;
  const int signal = worker::script_stack_signal();
  if (!os::would_handle(pid, signal)) return false;
  return os::signal_process(pidfd, signal) == os::Delivery::sent && wait_for_script_stack(words);
}

}  // namespace

Stacks stacks_of_hung(pid_t pid, const os::Fd& process, const worker::LastWords& words) noexcept try {
  const bool asked = ask_for_script_stack(pid, process, words);
  auto stacks = stacks_of_process(pid, process);
  if (!asked && stacks && divert_process(pid, process, words.script_stack_teller)) wait_for_script_stack(words);
  return stacks;
} catch (const std::exception&) {
  // Who waits for the stack must go on and end it. Short: there is no memory for more.
  return os::Failure{ENOMEM, "its stack"};
}

void take_stacks(Stacks& stacks, Evidence& into) noexcept try {
  if (!stacks) {
    into.detail = "its stack could not be taken: " + stacks.failure().text();
    return;
  }
  into.stack = std::move(stacks->front());
  into.other_stacks.assign(stacks->begin() + 1, stacks->end());
} catch (const std::bad_alloc&) {
}

}  // namespace hotspare::death
