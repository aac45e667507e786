#include "death/stack_of_process.hpp"

#include "os/process.hpp"
#include "os/ptrace.hpp"
#include "os/self_memory.hpp"

#include <algorithm>
#include <new>
#include <optional>

namespace hotspare::death {
namespace {

using Taken = os::Result<std::shared_ptr<detail::StackImage>>;

/// Here there is room and nobody is broken, so more than a crasher takes.
constexpr std::size_t kStackSize = 256 * 1024;
constexpr std::uint64_t kRedZone = 128;

Taken take(pid_t pid, const os::Fd& process, pid_t thread, std::chrono::milliseconds timeout) {
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
  image->stack.resize(kStackSize);
  image->stack.resize(os::copy_memory(thread, image->stack_start, image->stack));
  return image;
}

}  // namespace

os::Result<std::shared_ptr<detail::StackImage>> stack_of_process(pid_t pid, const os::Fd& process, pid_t thread,
                                                                 std::chrono::milliseconds timeout) {
  if (thread == 0) thread = pid;
  std::optional<Taken> taken;
  const auto ran = os::in_tracer_thread([&]() noexcept {
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

}  // namespace hotspare::death
