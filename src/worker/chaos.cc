#include <hotspare/chaos.hpp>

#include <hotspare/this_task.hpp>

#include "os/process.hpp"
#include "os/signals.hpp"
#include "worker/worker_state.hpp"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

/// Faults on purpose: each is the real one, so that what the pool says about it can be tested.
namespace hotspare::chaos {
namespace {

constexpr std::size_t gibibyte = std::size_t{1} << 30;
constexpr int exit_code = 3;

// Frames of their own in the report; sanitizers would die of these in ways of their own.
#define HOTSPARE_FAULT __attribute__((noinline, no_sanitize("address", "undefined")))

HOTSPARE_FAULT void write_through_null() {
  volatile int* volatile nowhere = nullptr;  // volatile twice: else the compiler leaves pointer or write out
  *nowhere = 1;                              // NOLINT(clang-analyzer-core.NullDereference): the fault
}

/// Ends where a stack without a limit would take all memory.
HOTSPARE_FAULT std::size_t recurse(std::size_t room_left) {
  volatile std::byte frame[4096];
  frame[0] = std::byte{1};
  if (room_left < sizeof frame) return 0;
  return recurse(room_left - sizeof frame) + std::to_integer<std::size_t>(frame[0]);
}

void overflow_the_stack() {
  static_cast<void>(recurse(gibibyte));
  throw Error("chaos: stack_overflow: this stack is larger than 1 GiB (ulimit -s), so it was left alone");
}

std::unique_ptr<char[]> take(std::size_t bytes) {
  std::unique_ptr<char[]> memory(new char[bytes]);  // operator new: at a task's limit it ends the worker
  std::memset(memory.get(), 1, bytes);
  return memory;
}

void take_memory_until_the_limit() {
  constexpr std::size_t piece = std::size_t{4} << 20;
  const std::uint64_t limit = worker::state.memory_limit.load(std::memory_order_relaxed);
  if (limit == 0)
    throw Error("chaos: memory is ended by a memory limit only, and this task has none: set TaskOptions::memory_limit");
  // What the heap holds free is no growth: a program that has had much gives it out again first.
  constexpr std::size_t free_already = std::size_t{256} << 20;
  std::vector<std::unique_ptr<char[]>> taken;
  while (taken.size() <= (limit + free_already) / piece) taken.push_back(take(piece));
  throw Error("chaos: memory: the task took " + std::to_string(taken.size() * piece) +
              " bytes, and its limit did not end it");
}

void leak(std::uint64_t bytes) {
  static std::atomic<std::uint64_t> leaked{0};
  if (bytes > gibibyte || leaked.fetch_add(bytes) + bytes > gibibyte)
    throw Error("chaos: leak: this worker would leak more than 1 GiB");
  if (bytes == 0) return;
  static std::atomic<char*> last{nullptr};  // seen from outside: no compiler takes it for unused
  last = take(static_cast<std::size_t>(bytes)).release();
}

}  // namespace

void strike(How how, std::uint64_t bytes) {
  using worker::in_worker;
  if (!in_worker())
    throw Error("chaos: " + std::string(name(how)) +
                " is for tasks in workers: in this process, which is none, nothing was done");
  switch (how) {
    case How::sigkill: std::raise(SIGKILL); break;
    case How::sigsegv: return write_through_null();
    case How::abort: std::abort();
    case How::exit: os::exit_now(exit_code);
    case How::stack_overflow: return overflow_the_stack();
    case How::memory: return take_memory_until_the_limit();
    case How::leak: return leak(bytes);
    case How::hang: os::wait_for_the_end();
    case How::stop: std::raise(SIGSTOP); return;
    case How::raise: throw Struck("chaos: this task was told to raise");
  }
  throw Error("chaos: no such way to strike");
}

void strike_if_chosen(const Chaos& chaos, std::uint64_t key) {
  if (chaos.attempts != 0 && attempt() > chaos.attempts) return;
  if (const auto how = chaos.choose(key)) strike(*how, chaos.bytes);
}

}  // namespace hotspare::chaos
