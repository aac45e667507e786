#include "death/stack_of_process.hpp"

#include "os/process.hpp"
#include "os/ptrace.hpp"
#include "os/self_memory.hpp"

#include <algorithm>
#include <csignal>
#include <new>
#include <optional>

namespace hotspare::death {
namespace {

using Taken = os::Result<std::shared_ptr<detail::StackImage>>;

/// Here there is room and nobody is broken, so more than a crasher takes.
constexpr std::size_t kStackSize = 256 * 1024;
constexpr std::uint64_t kRedZone = 128;

constexpr std::size_t kOtherStackSize = 64 * 1024;
constexpr std::size_t kMostThreads = 32;

Taken take(pid_t pid, const os::Fd& process, pid_t thread, std::chrono::milliseconds timeout,
           std::size_t stack_size = kStackSize) {
  auto stopped = os::StoppedThread::stop(thread, timeout);
  if (!stopped) return stopped.failure();
  // It had not exited by now, so the thread that stopped was its.
  if (os::exited(process)) return os::Failure{ESRCH, "stack_of_process(" + std::to_string(pid) + ")"};
  auto registers = stopped->registers();
  if (!registers) return registers.failure();
  auto maps = os::maps_of(pid, thread, registers->sp);
  if (!maps) return maps.failure();
  auto image = std::make_shared<detail::StackImage>();
  image->registers = *registers;
  image->thread_id = thread;
  image->maps = std::move(maps->executable);
  image->stack_low = maps->stack_low;
  image->stack_high = maps->stack_high;
  image->stack_start = std::max(registers->sp - std::min(registers->sp, kRedZone), maps->stack_low);
  image->stack.resize(stack_size);
  image->stack.resize(os::copy_memory(thread, image->stack_start, image->stack));
  return image;
}

}  // namespace

os::Result<std::shared_ptr<detail::StackImage>> stack_of_process(pid_t pid, const os::Fd& process, pid_t thread,
                                                                 std::chrono::milliseconds timeout) {
  if (thread == 0) thread = pid;
  std::optional<Taken> taken;
  const auto ran = os::in_tracer_process([&]() noexcept {
    try {
      taken.emplace(take(pid, process, thread, timeout));
    } catch (const std::bad_alloc&) {
      taken.reset();
    }
  });
  if (!ran) return ran.failure();
  if (!taken) return os::Failure{ENOMEM, "stack_of_process(" + std::to_string(pid) + ")"};
  return std::move(*taken);
}

os::Result<std::vector<std::shared_ptr<detail::StackImage>>> stacks_of_process(pid_t pid, const os::Fd& process) {
  constexpr std::chrono::milliseconds patience(200);
  constexpr std::chrono::milliseconds patience_with_others(5);
  auto main = stack_of_process(pid, process, 0, patience);
  if (!main) return main.failure();
  std::vector<std::shared_ptr<detail::StackImage>> all{std::move(*main)};
  const std::vector<pid_t> threads = os::threads_of(pid, kMostThreads);
  if (threads.size() == 1) return all;
  const auto ran = os::in_tracer_process([&]() noexcept {
    try {
      for (std::size_t i = 1; i < threads.size(); ++i)
        if (auto taken = take(pid, process, threads[i], patience_with_others, kOtherStackSize))
          all.push_back(std::move(*taken));
    } catch (const std::bad_alloc&) {
      // The main thread's is what matters.
    }
  });
  static_cast<void>(ran);
  return all;
}

os::Status divert_process(pid_t pid, const os::Fd& process, std::uint64_t function) {
  os::Status status = os::Done{};
  const auto ran = os::in_tracer_process([&]() noexcept {
    auto stopped = os::StoppedThread::stop(pid, std::chrono::milliseconds(200));
    if (!stopped) {
      status = stopped.failure();
    } else if (os::exited(process)) {
      status = os::Failure{ESRCH, "divert_process(" + std::to_string(pid) + ")"};
    } else {
      status = stopped->divert(function);
      // By number, while it is held: whether there are pidfds or not.
      if (status) os::signal_child(pid, SIGCONT);
    }
  });
  if (!ran) return ran.failure();
  return status;
}

}  // namespace hotspare::death
